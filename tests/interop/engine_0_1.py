"""Version 0.1.0 of the engine on the simulator's services.

Values cross between the versions by their classes' and fields' names. Rows cross only as items of DynamoDB: through the
0.1.0 engine's own adapter and its `to_item` and `from_item` on one side, and the present ones on the other. So a row
that one version writes and the other cannot read is a bad row, as on AWS.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from types import ModuleType
from typing import Any, cast

from botocore.exceptions import ClientError

import ringfence.core
from ringfence.aws.roster_item import Item, key_of
from ringfence.core import errors
from ringfence.core.audit_events import HookCompleted, HookHeld
from ringfence.core.configuration.settings import Settings
from ringfence.core.events import Event, Ignored
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.lifecycle_decision import Decision, Reason
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.observation import Described, Listing
from ringfence.reconciler.interfaces import RegionServices, Services
from ringfence_lab.sim.engine.services import SimulatedRosterTable
from tests.interop import frozen


class Counterparts:
    """Converts values of one version into values of the other, by the names of classes and fields."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self.classes = {
            name: found
            for module in modules
            for name, found in vars(module).items()
            if isinstance(found, type) and found.__module__ == module.__name__
        }

    def of(self, value: Any) -> Any:
        """The other version's counterpart of a value. Fields that its class does not have are left out.

        To 0.1.0, a listing of groups is the states of their instances.
        """
        if isinstance(value, Listing):
            return self.of(value.states)
        if isinstance(value, Enum):
            return self.classes[type(value).__name__](value.value)
        if isinstance(value, tuple | list | set | frozenset):
            return type(value)(map(self.of, value))
        if isinstance(value, Mapping):
            return {self.of(key): self.of(found) for key, found in value.items()}
        if is_dataclass(value):
            made = self.classes[type(value).__name__]
            return made(**{name: self.of(getattr(value, name)) for name in _names(made) if hasattr(value, name)})
        return value


@cache
def _names(of: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(of))


def _present_modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(ringfence.core.__path__, "ringfence.core."):
        yield importlib.import_module(found.name)


_OLD_MODULES = ("model", "settings", "lifecycle", "observation", "events", "plan", "journal", "errors")

old = Counterparts(frozen.module(name) for name in _OLD_MODULES)
new = Counterparts(_present_modules())

OLD_ERROR = frozen.module("errors").RingfenceError


def reconcile(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """One reconcile of the 0.1.0 engine. Raises the present counterparts of its errors."""
    try:
        frozen.module("reconcile").reconcile([_event(event) for event in events], _world(services), old.of(settings))
    except OLD_ERROR as error:
        raise _counterpart(new, error) from error


def _event(event: Event) -> Any:
    """The event; one of a kind that 0.1.0 does not know is ignored."""
    known = type(event).__name__ in old.classes
    return old.of(event if known else Ignored(event.id, f"0.1.0 has no {type(event).__name__}"))


def _world(services: Services) -> Any:
    """What the 0.1.0 engine works with."""
    ports = frozen.module("ports")
    home = ports.Home(Old(services.home.auto_scaling), Old(services.home.instances))
    regions = {name: _region(ports, name, region) for name, region in services.regions.items()}
    return ports.World(home, regions, services.clock, services.tasks, lambda entry: services.audit(_entry(entry)))


def _entry(entry: Any) -> Any:
    """The present counterpart of an entry of the log. 0.1.0 names no decision and no reason: they follow from the
    answer."""
    match type(entry).__name__:
        case "HookCompleted":
            if entry.result == HookResult.ABANDON.value:
                decision, reason = Decision.ABANDONED, Reason.NO_ROOM
            elif entry.launching:
                decision, reason = Decision.ADMITTED, Reason.ADMITTED_AT_HOME
            else:
                decision, reason = Decision.RELEASED, Reason.RELEASED_EVERYWHERE
            transition = Transition.LAUNCH if entry.launching else Transition.TERMINATE
            group, instance = entry.group, InstanceId(entry.instance)
            return HookCompleted(
                group, instance, entry.hook, transition, decision, reason, entry.why, entry.was_active, waited=None
            )
        case "HookHeld":
            return HookHeld(entry.group, InstanceId(entry.instance), None, None, Reason.UNCONFIRMED, entry.why, None)
        case _:
            return new.of(entry)


def _region(ports: Any, name: str, region: RegionServices) -> Any:
    client = Items(cast(SimulatedRosterTable, region.table))
    table = frozen.module("aws.dynamodb").AwsRosterTable(client, name, "ringfence-demo")
    return ports.RegionPorts(OldErrors(table), Old(region.security_groups))


def _counterpart(counterparts: Counterparts, error: Exception) -> Exception:
    """The other version's error of the same name, or of the nearest base class that it has."""
    name = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in counterparts.classes)
    made: type[Exception] = counterparts.classes[name]
    match name:
        case "Refused":
            return made(counterparts.of(error.refusal), str(error))  # type: ignore[attr-defined]
        case "Permanent" | "NotDeployed":
            return made(str(error), error.groups)  # type: ignore[attr-defined]
        case "Conflict":
            return counterparts.classes["Retry"](str(error))  # type: ignore[no-any-return]
        case _:
            return made(str(error))


@contextmanager
def _old_errors() -> Iterator[None]:
    """Raises the 0.1.0 counterpart of each error of the simulated services."""
    try:
        yield
    except errors.RingfenceError as error:
        raise _counterpart(old, error) from error


class OldErrors:
    """Services whose errors are those of 0.1.0."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._inner, name)

        def call(*arguments: Any) -> Any:
            with _old_errors():
                return method(*arguments)

        return call


class Old:
    """Services that take and return the values of 0.1.0."""

    def __init__(self, inner: object) -> None:
        self._inner = OldErrors(inner)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._inner, name)
        return lambda *arguments: old.of(_without_absence(method(*map(new.of, arguments))))


def _without_absence(answer: Any) -> Any:
    """The answer as 0.1.0 expects it: of the instances that it asks for, those that EC2 knows."""
    return answer.instances if isinstance(answer, Described) else answer


@dataclass(frozen=True, slots=True)
class Items:
    """The client of DynamoDB that the 0.1.0 adapter of a table works with."""

    table: SimulatedRosterTable

    def get_paginator(self, operation: str) -> "Pages":
        return Pages(self.table, operation)

    def put_item(
        self,
        *,
        TableName: str,  # noqa: ARG002, N803  # as botocore names it
        Item: Item,  # noqa: N803
        ConditionExpression: str | None = None,  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str = "NONE",  # noqa: ARG002, N803
        ExpressionAttributeValues: Mapping[str, Mapping[str, str]] | None = None,  # noqa: N803
    ) -> None:
        table, by = self.table.region.table, self.table.invocation
        found: dict[str, Any] = {}

        def put(_age: float) -> bool:
            found.update(next((item for item in table.items() if key_of(item) == key_of(Item)), {}))
            allowed = _CONDITIONS[ConditionExpression](found, ExpressionAttributeValues or {})
            if allowed:
                table.write_item(Item, by)
            return allowed

        region = self.table.region.name
        if not self.table.line.call(region, "dynamodb", "PutItem", put, mutating=True):
            answer = {"Error": {"Code": "ConditionalCheckFailedException"}, "Item": found}
            raise ClientError(answer, "PutItem")  # type: ignore[arg-type]  # an answer with an item


@dataclass(frozen=True, slots=True)
class Pages:
    """The paginator of a scan or a query, which has one page."""

    table: SimulatedRosterTable
    operation: str

    def paginate(self, **request: Any) -> list[Mapping[str, Any]]:
        call, region = self.table.line.call, self.table.region
        items = call(region.name, "dynamodb", self.operation.capitalize(), lambda _: region.table.items())
        if self.operation == "query":
            wanted = request["ExpressionAttributeValues"][":region"]
            items = [item for item in items if item["region"] == wanted]
        return [{"Items": items}]


Values = Mapping[str, Mapping[str, str]]


def _version(item: Item | Mapping[str, str]) -> int:
    return int(cast(Any, item)["N"])


_CONDITIONS: Mapping[str | None, Callable[[Item, Values], bool]] = {
    None: lambda _item, _values: True,
    "version = :standing": lambda item, values: item.get("version") == values[":standing"],
    "attribute_not_exists(version)": lambda item, _: "version" not in item,
    "attribute_not_exists(version) OR version < :version": lambda item, values: (
        "version" not in item or _version(item["version"]) < _version(values[":version"])
    ),
}
"""What the condition expressions of 0.1.0 mean."""
