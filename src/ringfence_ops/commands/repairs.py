"""How `ringfence deploy` shows what it repairs. A part of that command, and no command itself."""

from collections.abc import Iterator, Mapping

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli.text import Text
from ringfence_ops.documents.deploy import RepairItem
from ringfence_ops.repair.stack_repair import Drift

DriftOf = Mapping[Region, Drift | Unreachable]
"""The drift of each Region, or why it could not be found out."""


def has_repairs(drift: DriftOf) -> bool:
    """Whether anything is repaired."""
    return any(isinstance(of_region, Drift) and of_region.repairs for of_region in drift.values())


def repair_items(drift: Drift | Unreachable | None) -> list[RepairItem]:
    """A Region's repairs, for programs."""
    repairs = drift.repairs if isinstance(drift, Drift) else ()
    return [RepairItem(repair.resource.logical_id, repair.resource.type, repair.message) for repair in repairs]


def not_checked(drift: Drift | Unreachable | None) -> list[str]:
    """What could not be read in a Region."""
    match drift:
        case Unreachable(reason=reason):
            return [f"whether anything was changed by hand is not known: {reason}"]
        case Drift(unread=unread):
            return [
                f"{resource} could not be read, and is not repaired: {reason}" for resource, reason in unread.items()
            ]
        case None:
            return []


def repair_lines(drift: Drift | Unreachable | None) -> Iterator[Text]:
    """A Region's repairs, for people."""
    for item in repair_items(drift):
        yield Text(f"! repairs {item.resource}: {item.said}", style="yellow")
    for reason in not_checked(drift):
        yield Text(f"? {reason}", style="yellow")
