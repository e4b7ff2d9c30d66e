"""`ringfence retire`: removes a Region from the cluster, with its stack and its rules; the others continue."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderResult

from ringfence.aws.assembly import region_services, table_name
from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import Region, RuleId
from ringfence.core.model.rules import Rule
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli import completion
from ringfence_ops.cli.command_run import CommandRun, command_run
from ringfence_ops.cli.history_saving import (
    NoSaveHistory,
    SaveHistory,
    history_file,
    save_audit_log,
    what_becomes_of_history,
)
from ringfence_ops.cli.progress import Progress
from ringfence_ops.cli.terminal import AsJson, Output, Yes, confirm
from ringfence_ops.cli.text import Text
from ringfence_ops.cloudformation.deployment import Deployer
from ringfence_ops.cloudformation.stacks import ChangeSet
from ringfence_ops.cluster import cluster_file
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.commands.deploy import DeployReport, interrupted
from ringfence_ops.documents.retire import RetireDocument
from ringfence_ops.errors import CommandError, WrongUsage
from ringfence_ops.plurals import counted, plural
from ringfence_ops.state.changes import GuardHold, guard_holds
from ringfence_ops.state.retired_rows import delete_rows
from ringfence_ops.state.snapshot import Snapshot, take_snapshot
from ringfence_ops.state.true_up import TrueUpResult, true_up_by_function

EXAMPLES = """\b
Examples:
  ringfence retire us-west-2
  ringfence retire us-west-2 --leave-stack   # the Region is permanently lost and cannot be reached
"""

RULES_TIMEOUT = 60.0
"""Seconds that removing the rules in a Region may take."""


def retire(
    context: typer.Context,
    *,
    region: Annotated[str, typer.Argument(help="The Region that leaves.", autocompletion=completion.regions)],
    leave_stack: Annotated[
        bool, typer.Option("--leave-stack", help="Leave the Region's own stack and rules: it cannot be reached.")
    ] = False,
    save_history: SaveHistory = None,
    no_save_history: NoSaveHistory = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Removes a Region from the cluster: its stack, and its members' rules in every Region. The others continue.

    Shows everything and asks. Then, in this order: saves the Region's audit log in a file; deletes the Region's own
    stack, and the log with it, so that its engine puts nothing back; removes Ringfence's own rules in its groups;
    updates the other stacks with the shorter list of Regions; lets their engines remove the rules of its members, which
    you have confirmed to the guard by agreeing; deletes its rows from their tables; and removes the Region from
    ringfence.toml. After a failure, run the same command again.

    With --leave-stack, the first three are left out: the Region's stack, its audit log and the rules in its own groups
    stay as they are.

    Exit code 0 if the Region has left, 2 if it was shown and not done, 1 if something failed.
    """
    run, output = command_run(context), Output(as_json=as_json)
    cluster = run.measured(run.cluster())
    retired = cluster.of(Region(region)).region
    file = None if leave_stack else history_file(cluster.name, save_history, unsaved=no_save_history)
    rest, text, shorter = _without(run, cluster, retired)
    retirement = _retirement(run, rest, run.settings(cluster), retired, leaves_stack=leave_stack)
    diff = difflib.unified_diff(text.splitlines(), shorter.splitlines(), "now", "then", lineterm="", n=1)
    retirement.diff = tuple(diff)
    retirement.history_file = file
    output.show_report(retirement)
    if leave_stack:
        output.show_unwrapped(retirement.left_stack)
    if not (yes or (not as_json and confirm(f"Retire {retired}?", yes=yes))):
        retirement.deployer.discard(retirement.change_sets)
        output.show_document(retirement.document())
        raise typer.Exit(2)
    retirement.history = save_audit_log(run.aws, output, cluster.name, [retired], file)
    _carry_out(run, output, retirement)
    if not retirement.failed:
        run.path.write_text(shorter, encoding="utf-8")
        output.say(f"{run.path} no longer names {retired}.")
    _say_result(output, retirement)
    output.show_document(retirement.document())
    raise typer.Exit(1 if retirement.failed else 0)


def _without(run: CommandRun, cluster: Cluster, retired: Region) -> tuple[Cluster, str, str]:
    """The cluster without the Region, the file's text, and the text without the Region. Raises CommandError."""
    rest = replace(cluster, regions=tuple(region for region in cluster.regions if region.region != retired))
    if not rest.regions:
        raise WrongUsage(f"{retired} is the only Region of {cluster.name}: use `ringfence destroy`")
    text = cluster_file.text_of(run.path)
    shorter = cluster_file.without(text, retired)
    if cluster_file.parse(shorter, run.path) != rest:
        raise CommandError(
            f"{run.path} cannot be edited automatically: give every Region a table such as [regions.{retired}]"
        )
    return rest, text, shorter


def _say_result(output: Output, retirement: "Retirement") -> None:
    for step in retirement.done:
        output.say(step)
    for name, reason in retirement.failed.items():
        output.say(Text.assemble((name, "bold"), "  ", (f"failed: {reason}", "red")))
    if retirement.failed:
        again = f"{retirement.retired}{' --leave-stack' * retirement.leaves_stack}"
        output.say(f"Run `ringfence retire {again}` again to do the rest.")


@dataclass(frozen=True, slots=True)
class RetiredRules:
    """The rules that a retirement removes: `elsewhere` are those of the Region's members in the other Regions' groups,
    by id; `own_groups` counts Ringfence's rules in the Region's own groups, None if the Region does not answer."""

    elsewhere: Mapping[RuleId, Rule]
    own_groups: int | None

    def confirmed(self, snapshot: Snapshot) -> list[GuardHold]:
        """What the guard holds and the operator has agreed to: these rules only, unchanged since they were shown."""
        unchanged = {id for id, rule in self.elsewhere.items() if snapshot.rules.get(id) == rule}
        return [hold for hold in guard_holds(snapshot.audit_events) if hold.rules <= unchanged]


@dataclass(slots=True)
class Retirement:
    """A retirement: what it does, what was done, and what failed. `deployer` deploys the Regions that stay.

    `leaves_stack` says that the Region's own stack, audit log and rules stay. `history_file` is where the audit log is
    to be saved, and `history` where it was.
    """

    retired: Region
    deployer: Deployer
    change_sets: Mapping[Region, ChangeSet]
    rules: RetiredRules
    leaves_stack: bool = field(kw_only=True)
    failed: dict[Region, str] = field(default_factory=dict)
    diff: Sequence[str] = ()
    done: list[str] = field(default_factory=list)
    history_file: Path | None = None
    history: Path | None = None

    def document(self) -> RetireDocument:
        """The retirement for programs."""
        return RetireDocument(
            region=self.retired,
            stacks=DeployReport(self.change_sets, {}).stacks(),
            rules_elsewhere=len(self.rules.elsewhere),
            stack_stays=self.leaves_stack,
            rules_in_its_own_groups=self.rules.own_groups,
            history=None if self.history is None else str(self.history),
            done=list(self.done),
            failed=dict(self.failed),
        )

    def record(self, answers: Mapping[Region, object]) -> bool:
        """Records the results of a step: a message, or a number of removed rules. Returns whether it succeeded."""
        for region, answer in answers.items():
            match answer:
                case Unreachable(reason):
                    self.failed[region] = reason
                case TrueUpResult(failure=str(failure)):
                    self.failed[region] = failure
                case TrueUpResult(counts=counts):
                    self.done.append(f"{region}: {counted(counts.removed, 'rule')} removed")
                case int(removed):
                    self.done.append(f"{region}: {counted(removed, 'rule')} removed")
                case _:
                    self.done.append(f"{region}: {answer}")
        return not self.failed

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._left_behind() if self.leaves_stack else self._deleted()
        elsewhere = counted(len(self.rules.elsewhere), "rule")
        yield Text(f"  - {elsewhere} of its members in the other Regions' groups", style="red")
        yield Text()
        yield DeployReport(self.change_sets, {})
        for line in self.diff:
            yield Text(line, style={"+": "green", "-": "red"}.get(line[:1], "dim"))

    def _deleted(self) -> Iterator[Text]:
        yield Text.assemble((self.retired, "bold"), "  leaves: its stack is deleted")
        yield Text(f"  {what_becomes_of_history(self.history_file)}")
        own = counted(self.rules.own_groups or 0, "rule")
        yield Text(f"  - {own} that Ringfence made in its own groups", style="red")

    def _left_behind(self) -> Iterator[Text]:
        """What stays in the Region, and what that leads to."""
        yield Text.assemble((self.retired, "bold"), "  leaves: its stack, its audit log and its own rules stay")
        own = self.rules.own_groups
        if own is None:
            yield Text("  · the rules in its own groups stay; how many is not known, because it does not answer")
        else:
            yield Text(f"  · {counted(own, 'rule')} that Ringfence made in its own groups {plural('stays', own)}")
            yield Text(f"  {self.retired} answers: without --leave-stack, its stack is deleted too", style="yellow")

    @property
    def left_stack(self) -> Text:
        """What the stack that is left does, and the command that deletes it."""
        stack = f"ringfence-{self.deployer.cluster.name}"
        text = Text(
            f"While the stack in {self.retired} stands, its engine puts its members' rules back into the other Regions'"
            " groups whenever it runs. Delete it as soon as the Region answers:",
            style="yellow",
        )
        return text.line(f"aws cloudformation delete-stack --region {self.retired} --stack-name {stack}", "cyan")


def _retirement(
    run: CommandRun, rest: Cluster, settings: Mapping[Region, Settings], retired: Region, *, leaves_stack: bool
) -> Retirement:
    snapshot = take_snapshot(run.aws, settings, with_engines=False)
    failed = {name: why for name, why in snapshot.unreachable.items() if name != retired or not leaves_stack}
    deployer = Deployer(run.aws, rest, settings[retired].account, poll=run.poll)
    with Output().working("creating change sets"):
        answers = deployer.create_change_sets(rest.region_names) if not failed else {}
    failed |= {name: answer.reason for name, answer in answers.items() if isinstance(answer, Unreachable)}
    elsewhere = {}
    own_groups = 0 if retired in snapshot.regions else None
    for name, region in snapshot.regions.items():
        for rule in (rule for rules in region.rules.values() for rule in rules):
            label = rule.label(rest.name)
            if label is not None and name == retired:
                own_groups = (own_groups or 0) + 1
            elif label is not None and label.roster.region == retired:
                elsewhere[rule.id] = rule
    change_sets = {name: answer for name, answer in answers.items() if isinstance(answer, ChangeSet)}
    if failed:
        deployer.discard(change_sets)
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise CommandError(f"nothing was done, because not every Region answers: {reasons}")
    rules = RetiredRules(elsewhere, own_groups)
    return Retirement(retired, deployer, change_sets, rules, leaves_stack=leaves_stack)


def _carry_out(run: CommandRun, output: Output, retirement: Retirement) -> None:
    """Runs step after step until one fails: the same command continues from there when it is run again."""
    retired, deployer, rest = retirement.retired, retirement.deployer, retirement.deployer.cluster
    progress = Progress(output, [retired, *rest.region_names])
    try:
        with progress as on_event:
            if not retirement.leaves_stack:
                whole = replace(deployer, cluster=run.measured(run.cluster()))
                if not retirement.record(whole.destroy([retired], on_event)):
                    return
                if not retirement.record(run.aws.each_region([retired], whole.remove_rules, RULES_TIMEOUT)):
                    return
            if not retirement.record(deployer.deploy(retirement.change_sets, on_event)):
                return
    except KeyboardInterrupt:
        raise interrupted(progress.latest, f"retire {retired}") from None
    settings = {name: rest.settings(name, deployer.account) for name in rest.region_names}

    def true_up(confirmed: Sequence[GuardHold]) -> Mapping[Region, TrueUpResult | Unreachable]:
        return run.aws.each_region(
            settings, lambda name: true_up_by_function(run.aws, rest.name, name, confirmed), RULES_TIMEOUT
        )

    # A bad row of the retired Region would keep its rules.
    if not retirement.record(_delete_rows(run, retirement, only_bad=True)) or not retirement.record(true_up(())):
        return
    snapshot = take_snapshot(run.aws, settings, with_engines=False)
    if confirmed := retirement.rules.confirmed(snapshot):
        retirement.record(true_up(confirmed))
    if not retirement.failed:
        retirement.record(_delete_rows(run, retirement))


def _delete_rows(run: CommandRun, retirement: Retirement, *, only_bad: bool = False) -> Mapping[Region, object]:
    """Deletes the retired Region's rows from the other tables. Returns what was done where something was."""
    rest, retired = retirement.deployer.cluster, retirement.retired

    def delete(region: Region) -> int:
        table = region_services(run.aws.client, region, table_name(rest.name)).table
        return delete_rows(table, retired, only_bad=only_bad)

    answers = run.aws.each_region(rest.region_names, delete, RULES_TIMEOUT)
    return {
        region: answer if isinstance(answer, Unreachable) else f"{counted(answer, 'row')} of {retired} deleted"
        for region, answer in answers.items()
        if answer != 0
    }
