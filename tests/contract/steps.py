"""Steps with an Auto Scaling group that several clauses share."""

from ringfence.core.events import Launching, LifecycleEvent, Terminating
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.observation import Power
from tests.contract.world import LAUNCH_HOOK, Group, World


def states(world: World, group: Group) -> dict[InstanceId, str]:
    return dict(world.home.auto_scaling.groups([group.name])[group.name])


def reaches(world: World, group: Group, instance: InstanceId, state: str) -> None:
    """Waits until the instance is in the state."""
    world.eventually(lambda: states(world, group).get(instance) == state)


def leaves(world: World, group: Group, instance: InstanceId) -> None:
    """Waits until the group no longer lists the instance."""
    world.eventually(lambda: instance not in states(world, group))


def event(
    world: World, group: Group, kind: type[Launching] | type[Terminating], number: int = 0
) -> Launching | Terminating:
    """Waits for the group's event of the kind with this number, from 0."""

    def arrived() -> LifecycleEvent | None:
        of_kind = [event for event in group.events() if isinstance(event, kind)]
        return of_kind[number] if len(of_kind) > number else None

    result = world.eventually(arrived)
    assert result is not None
    return result


def launching(world: World, group: Group) -> InstanceId:
    """Scales out by one instance, and waits until the hook holds it."""
    known = states(world, group)
    group.scale_to(len(known) + 1)

    def waiting() -> list[InstanceId]:
        return [id for id, state in states(world, group).items() if id not in known and state == "Pending:Wait"]

    (instance,) = world.eventually(waiting)
    return instance


def complete(
    world: World, group: Group, instance: InstanceId, hook: str, result: HookResult = HookResult.CONTINUE
) -> bool:
    return world.home.auto_scaling.complete(group.name, hook, instance, None, result)


def in_service(world: World, group: Group) -> InstanceId:
    """A new instance in service."""
    instance = launching(world, group)
    assert complete(world, group, instance, LAUNCH_HOOK)
    reaches(world, group, instance, "InService")
    return instance


def power(world: World, instance: InstanceId) -> Power | None:
    described = world.home.instances.by_id([instance]).instances.get(instance)
    return None if described is None else described.power
