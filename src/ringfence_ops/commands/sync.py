"""`ringfence sync`: a true-up of every Region now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.errors import CommandError
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli.invocation import Invocation, invocation
from ringfence_ops.cli.terminal import AsJson, Output, Regions
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.commands.plan import changed, diff
from ringfence_ops.state.changes import Change, Held, digest, held
from ringfence_ops.state.snapshot import survey
from ringfence_ops.state.true_up import Done, by_function, from_here

SCHEMA = "ringfence.sync/1"

EXAMPLES = """\b
Examples:
  ringfence sync                             # every Region's own engine, at once
  ringfence sync us-west-2
  ringfence sync --local                     # from here: the functions may be gone
  ringfence sync --confirm 3f2a9c01b7de      # exactly the plan that `ringfence plan` showed, held removals too
"""

PATIENCE = 60.0
"""Seconds within which a true-up has ended: the time-out of the function."""


def sync(
    context: typer.Context,
    regions: Regions = None,
    local: Annotated[bool, typer.Option("--local", help="Reconcile from here, not by the deployed functions.")] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="The plan that you have seen: what the guard holds goes too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reconciles every Region now, and shows what was done.

    Safe at any time, and safe to run twice: it is what the schedule does every minute. Ctrl-C ends the waiting, not the
    functions: what they have begun they finish.

    Exit code 0 if all went well, 2 if the guard holds removals or something is refused, 1 if a Region failed.
    """
    run, output = invocation(context), Output(as_json)
    cluster = run.cluster()
    chosen = [cluster.of(Region(one)).region for one in regions or cluster.region_names]
    confirmed = _confirmed(run, cluster, confirm) if confirm is not None else []
    settings = run.settings(cluster)
    with output.aside.status(f"true-up of {', '.join(chosen)}"):
        if local:
            found = run.aws.each_region(chosen, lambda one: from_here(run.aws, settings[one], confirmed), PATIENCE)
        else:
            found = run.aws.each_region(
                chosen, lambda one: by_function(run.aws, cluster.name, one, confirmed), PATIENCE
            )
    outcome = Outcome(
        {region: one for region, one in found.items() if isinstance(one, Done)},
        {region: one.reason for region, one in found.items() if isinstance(one, Unreachable)},
    )
    output.show(outcome.document(), outcome)
    raise typer.Exit(outcome.exit_code)


def _confirmed(run: Invocation, cluster: Cluster, confirm: str) -> Sequence[Held]:
    """What the guard holds in the plan of that digest. Raises CommandError where it is another plan by now."""
    found = survey(run.aws, run.settings(cluster), with_workings=False)
    if found.unreachable:
        reasons = "; ".join(f"{region}: {reason}" for region, reason in found.unreachable.items())
        raise CommandError(f"the plan cannot be made again, so nothing was done: {reasons}")
    now = digest(found.planned)
    if now != confirm:
        raise CommandError(
            f"the plan has changed since: it is {now} now, not {confirm}: look again with `ringfence plan`"
        )
    return held(found.entries)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the Regions asked."""

    done: Mapping[Region, Done]
    failed: Mapping[Region, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """The command's."""
        if self.failed or any(one.failure for one in self.done.values()):
            return 1
        return 2 if any(one.held or one.refused for one in self.done.values()) else 0

    @property
    def changes(self) -> list[Change]:
        """Every change, where it is known: the functions tell counts alone."""
        return [change for one in self.done.values() for change in one.changes]

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "schema": SCHEMA,
            "regions": [
                {
                    "region": region,
                    "added": one.added,
                    "removed": one.removed,
                    "relabelled": one.relabelled,
                    "held": one.held,
                    "refused": one.refused,
                    "seconds": one.seconds,
                    "changes": [changed(change) for change in one.changes],
                    "problems": list(one.problems),
                    "failure": one.failure,
                }
                for region, one in self.done.items()
            ],
            "failed": dict(self.failed),
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from diff(self.changes)
        for region, one in self.done.items():
            parts = [
                f"{count} {word}"
                for count, word in (
                    (one.added, "added"),
                    (one.removed, "removed"),
                    (one.relabelled, "relabelled"),
                    (one.held, "held"),
                    (one.refused, "refused"),
                )
                if count
            ]
            said = ", ".join(parts) or "nothing to do"
            yield Text.assemble((region, "bold"), f"  {said}, in {one.seconds:.1f} s")
            for problem in one.problems:
                yield Text(f"  {problem}", style="yellow")
            if one.failure is not None:
                yield Text(f"  failed: {one.failure}", style="red")
        for region, reason in self.failed.items():
            yield Text.assemble((region, "bold"), "  ", (f"failed: {reason}", "red"))
        if any(one.held for one in self.done.values()):
            yield Text(
                "The guard holds removals: `ringfence plan` shows them and how to confirm them.", style="magenta"
            )
