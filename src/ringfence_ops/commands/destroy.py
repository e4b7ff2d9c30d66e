"""`ringfence destroy`: takes down what `ringfence deploy` made, and says what it leaves."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.errors import CommandError
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli.invocation import invocation
from ringfence_ops.cli.progress import Progress
from ringfence_ops.cli.terminal import AsJson, Output, Regions
from ringfence_ops.cloudformation.deployment import Deployer
from ringfence_ops.commands.deploy import interrupted
from ringfence_ops.state.region_state import standings
from ringfence_ops.state.snapshot import Survey, survey

SCHEMA = "ringfence.destroy/1"

EXAMPLES = """\b
Examples:
  ringfence destroy                          # asks for the cluster's name
  ringfence destroy --confirm demo --remove-rules
  ringfence destroy us-west-2
"""


def destroy(
    context: typer.Context,
    regions: Regions = None,
    remove_rules: Annotated[
        bool,
        typer.Option("--remove-rules", help="Remove Ringfence's own rules, too: members no longer reach each other."),
    ] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="NAME", help="The cluster's name, instead of being asked for it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Takes the stacks down, all Regions at a time: functions, queues, tables, schedules and lifecycle hooks.

    The rules stay, so that the members go on reaching one another; with --remove-rules those that Ringfence made go,
    in every Region named, once no engine of them can put them back. Foreign rules always stay. Can be run again after
    a failure. To take one Region out of a cluster that goes on, use `ringfence retire`.

    Exit code 0 if all is gone, 1 if a Region failed.
    """
    run, output = invocation(context), Output(as_json)
    cluster = run.cluster()
    chosen = [cluster.of(Region(one)).region for one in regions or cluster.region_names]
    settings = run.settings(cluster)
    deployer = Deployer(run.aws, cluster, next(iter(settings.values())).account, poll=run.poll)
    found = survey(run.aws, settings)
    waiting = [
        f"{one.instance} in {standing.region}"
        for standing in standings(found, settings)
        for one in standing.waiting
        if standing.region in chosen
    ]
    _announce(output, cluster.name, chosen, found, waiting, remove_rules)
    _ask(cluster.name, confirm)
    progress = Progress(output, chosen)
    try:
        with progress as tell:
            gone = deployer.destroy(chosen, tell)
    except KeyboardInterrupt:
        raise interrupted(progress.under_way, "destroy") from None
    outcome = Outcome(cluster.name)
    for region, one in gone.items():
        if isinstance(one, Unreachable):
            outcome.failed[region] = one.reason
        else:
            outcome.done[region] = one
    _rules(run.aws, deployer, outcome, remove_rules)
    output.show(outcome.document(), outcome)
    raise typer.Exit(1 if outcome.failed else 0)


def _announce(
    output: Output, name: str, chosen: list[Region], found: Survey, waiting: list[str], remove_rules: bool
) -> None:
    output.say(Text.assemble("This takes down ", (name, "bold"), f" in {', '.join(chosen)}."))
    rules = "Ringfence's own rules go too" if remove_rules else "The rules stay"
    output.say(f"{rules}; foreign rules stay. From then on nobody admits or releases anybody.")
    if waiting:
        output.say(
            Text(
                f"Instances wait for a hook: {', '.join(waiting)}. As its hook goes, a launching one is sent away and a"
                " terminating one goes on.",
                style="yellow",
            )
        )
    for region, reason in found.unreachable.items():
        output.say(Text(f"{region} does not answer: {reason}", style="red"))


def _ask(name: str, confirmed: str | None) -> None:
    """Raises CommandError unless the operator gives the cluster's name."""
    if confirmed is None:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise CommandError(f"there is no terminal to ask on: give --confirm {name} to go on without being asked")
        confirmed = typer.prompt("Type the cluster's name to go on", err=True)
    if confirmed != name:
        raise CommandError(f"{confirmed} is not the cluster's name: nothing was done")


def _rules(aws: Any, deployer: Deployer, outcome: "Outcome", remove: bool) -> None:
    """Removes the owned rules of the Regions that are gone, or counts those that stay."""
    regions = [region for region in outcome.done if region not in outcome.failed]

    def one(region: Region) -> int:
        if remove:
            return deployer.remove_rules(region)
        return sum(map(len, deployer.owned(region).values()))

    for region, count in aws.each_region(regions, one, 60.0).items():
        if isinstance(count, Unreachable):
            outcome.failed[region] = f"its rules: {count.reason}"
        elif remove:
            outcome.removed[region] = count
        else:
            outcome.left[region] = count


@dataclass(slots=True)
class Outcome:
    """What became of each Region: `removed` and `left` count rules."""

    cluster: str
    done: dict[Region, str] = field(default_factory=dict)
    removed: dict[Region, int] = field(default_factory=dict)
    left: dict[Region, int] = field(default_factory=dict)
    failed: dict[Region, str] = field(default_factory=dict)

    def document(self) -> Mapping[str, Any]:
        """For programs."""
        return {
            "schema": SCHEMA,
            "regions": [
                {
                    "region": region,
                    "outcome": said,
                    "rules_removed": self.removed.get(region, 0),
                    "rules_left": self.left.get(region, 0),
                }
                for region, said in self.done.items()
            ],
            "failed": dict(self.failed),
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for region, said in self.done.items():
            rules = f"; {self.removed[region]} rules removed" if region in self.removed else ""
            left = f"; {self.left[region]} rules of ours are left" if self.left.get(region) else ""
            yield Text.assemble((region, "bold"), f"  {said}{rules}{left}")
        for region, reason in self.failed.items():
            yield Text.assemble((region, "bold"), "  ", (f"failed: {reason}", "red"))
        if any(self.left.values()):
            yield Text(f"`ringfence destroy --confirm {self.cluster} --remove-rules` removes those, too.", style="dim")
        yield Text(
            "Left as well: the buckets with the functions' code, and the tags of the security groups.", style="dim"
        )
