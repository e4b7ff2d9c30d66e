"""What `destroy` and `retire` share: the audit log goes with a stack, so it is saved first, unless told otherwise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cli.terminal import Output
from ringfence_ops.errors import CommandError, WrongUsage
from ringfence_ops.logs.saved_log import check_new, default_path, save

SaveHistory = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The file for the audit log, which is saved first. By default ringfence-CLUSTER-history-TIME.jsonl.",
    ),
]
NoSaveHistory = Annotated[bool, typer.Option("--no-save-history", help="Delete the audit log without saving it.")]


def history_file(cluster: str, named: Path | None, *, unsaved: bool) -> Path | None:
    """The file that the audit log is saved in; None if the operator wants none. Raises WrongUsage."""
    if unsaved:
        if named is not None:
            raise WrongUsage("--save-history and --no-save-history contradict each other: give one of them")
        return None
    path = named or default_path(cluster)
    check_new(path)
    return path


def what_becomes_of_history(path: Path | None) -> str:
    """A sentence for the operator."""
    if path is None:
        return "The audit log goes with it, and is not saved."
    return f"The audit log goes with it. It is saved first in {path} (--save-history names another file)."


def save_audit_log(aws: Aws, output: Output, cluster: str, regions: Sequence[Region], path: Path | None) -> Path | None:
    """Saves the logs of the Regions, and says so. Returns the file; None if there is none.

    Raises CommandError where a log could not be saved: nothing may be deleted then.
    """
    if path is None:
        return None
    try:
        with output.working("saving the audit log"):
            saved = save(aws, cluster, regions, path)
    except CommandError as error:
        raise CommandError(
            f"nothing was deleted, because the audit log was not saved: {error}: to delete it unsaved, give"
            " --no-save-history"
        ) from error
    if saved is None:
        output.say("There is no audit log to save.")
        return None
    output.say(f"The audit log of {', '.join(saved.regions)} is saved in {saved.path}: {saved.lines} lines.")
    return saved.path
