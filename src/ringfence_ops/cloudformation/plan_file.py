"""The file of a saved plan: which argument names one, and how it is read and written. Knows no AWS."""

from collections.abc import Sequence
from pathlib import Path

from ringfence_ops.cloudformation.saved_plan import SavedPlan, parse
from ringfence_ops.errors import CommandError, WrongUsage


def plan_named(arguments: Sequence[str]) -> SavedPlan | None:
    """The saved plan that the arguments name; None where they name Regions. Raises WrongUsage.

    No code of a Region has a dot or a slash.
    """
    files = [argument for argument in arguments if "." in argument or "/" in argument or Path(argument).is_file()]
    if not files:
        return None
    if len(arguments) > 1:
        raise WrongUsage(f"{files[0]} is a plan, which has its own Regions: name only the plan, or only Regions")
    return read_plan(Path(files[0]))


def read_plan(path: Path) -> SavedPlan:
    """The plan in the file. Raises WrongUsage."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, not JSON, no plan
        why = error.strerror if isinstance(error, OSError) else error
        raise WrongUsage(
            f"the plan {path} cannot be read: {why}: make one with `ringfence deploy --out FILE`"
        ) from None


def check_writable(path: Path) -> None:
    """Raises WrongUsage where the path is that of a file that is no plan: an older plan may be overwritten."""
    if not path.parent.is_dir():
        raise WrongUsage(f"--out {path}: there is no directory {path.parent}")
    if not path.exists():
        return
    try:
        read_plan(path)
    except WrongUsage:
        raise WrongUsage(f"--out {path}: the file exists and is no plan: give another name") from None


def write_plan(path: Path, plan: SavedPlan) -> None:
    """Writes the plan. Raises CommandError."""
    try:
        path.write_text(plan.written(), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"the plan {path} cannot be written: {error.strerror}") from None
