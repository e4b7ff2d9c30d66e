"""The file of a saved plan: which argument names one, how it is read and written, and how a deployment keeps to it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ringfence.core.model.identifiers import Region
from ringfence_ops.cloudformation.deployment import Deployer
from ringfence_ops.cloudformation.saved_plan import SavedPlan, parse
from ringfence_ops.cloudformation.stacks import ChangeSet
from ringfence_ops.errors import CommandError, WrongUsage


def plan_named(arguments: Sequence[str], out: Path | None, *, dry_run: bool) -> SavedPlan | None:
    """The saved plan that the arguments name; None where they name Regions. Raises WrongUsage.

    `out` is where a plan is to be written, if anywhere.
    """
    plan = _named(arguments)
    if plan is not None and (out is not None or dry_run):
        raise WrongUsage("a plan is deployed as it is: omit --out and --dry-run")
    if out is not None:
        _check_writable(out)
    return plan


def _named(arguments: Sequence[str]) -> SavedPlan | None:
    """The plan that an argument names. No code of a Region has a dot or a slash."""
    files = [argument for argument in arguments if "." in argument or "/" in argument or Path(argument).is_file()]
    if not files:
        return None
    if len(arguments) > 1:
        raise WrongUsage(f"{files[0]} is a plan, which has its own Regions: name only the plan, or only Regions")
    return _read(Path(files[0]))


def _read(path: Path) -> SavedPlan:
    """The plan in the file. Raises WrongUsage."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, not JSON, no plan
        why = error.strerror if isinstance(error, OSError) else error
        raise WrongUsage(
            f"the plan {path} cannot be read: {why}: make one with `ringfence deploy --out FILE`"
        ) from None


def _check_writable(path: Path) -> None:
    """Raises WrongUsage where the path is that of a file that is no plan: an older plan may be overwritten."""
    if not path.parent.is_dir():
        raise WrongUsage(f"--out {path}: there is no directory {path.parent}")
    if not path.exists():
        return
    try:
        _read(path)
    except WrongUsage:
        raise WrongUsage(f"--out {path}: the file exists and is no plan: give another name") from None


def write_plan(path: Path, deployer: Deployer, change_sets: Mapping[Region, ChangeSet]) -> None:
    """Writes the plan that the change sets carry out. Raises CommandError."""
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    plan = SavedPlan.of(deployer.cluster.name, deployer.account, made_at, change_sets)
    try:
        path.write_text(plan.written(), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"the plan {path} cannot be written: {error.strerror}") from None


def hold_to(plan: SavedPlan | None, deployer: Deployer, change_sets: Mapping[Region, ChangeSet]) -> None:
    """Discards the change sets and raises CommandError where they are not what the plan says."""
    if plan is not None and (moved := plan.moved(deployer.cluster.name, deployer.account, change_sets)):
        deployer.discard(change_sets)
        raise CommandError(
            f"nothing was deployed, because the plan is out of date: {'; '.join(moved)}: make a new one with"
            " `ringfence deploy --out FILE`"
        )
