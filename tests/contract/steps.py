"""Steps that several clauses take with an Auto Scaling group, and what they wait for on the way."""

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
    """The group's event of the kind, counted from 0, once it has arrived."""

    def arrived() -> LifecycleEvent | None:
        of_kind = [each for each in group.events() if isinstance(each, kind)]
        return of_kind[number] if len(of_kind) > number else None

    seen = world.eventually(arrived)
    assert seen is not None
    return seen


def launching(world: World, group: Group) -> InstanceId:
    """Scales out by one, and waits until the instance waits."""
    known = states(world, group)
    group.scale_to(len(known) + 1)

    def waiting() -> list[InstanceId]:
        return [id for id, state in states(world, group).items() if id not in known and state == "Pending:Wait"]

    (one,) = world.eventually(waiting)
    return one


def complete(
    world: World, group: Group, instance: InstanceId, hook: str, result: HookResult = HookResult.CONTINUE
) -> bool:
    return world.home.auto_scaling.complete(group.name, hook, instance, None, result)


def in_service(world: World, group: Group) -> InstanceId:
    """An instance that was let in."""
    instance = launching(world, group)
    assert complete(world, group, instance, LAUNCH_HOOK)
    reaches(world, group, instance, "InService")
    return instance


def power(world: World, instance: InstanceId) -> Power | None:
    described = world.home.instances.by_id([instance]).get(instance)
    return None if described is None else described.power
