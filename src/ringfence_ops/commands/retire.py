"""`ringfence retire`: a Region leaves the cluster, with its stack and its rules, and the others go on."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import Region, RuleId
from ringfence.core.model.rules import Rule
from ringfence_ops.aws.errors import CommandError
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli import completion
from ringfence_ops.cli.invocation import Invocation, invocation
from ringfence_ops.cli.progress import Progress
from ringfence_ops.cli.terminal import AsJson, Output, Yes, confirm
from ringfence_ops.cloudformation.deployment import Deployer
from ringfence_ops.cloudformation.stacks import Proposal
from ringfence_ops.cluster import cluster_file
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.commands.deploy import Report, interrupted
from ringfence_ops.state.changes import Held, held
from ringfence_ops.state.snapshot import survey
from ringfence_ops.state.true_up import Done, by_function

SCHEMA = "ringfence.retire/1"

EXAMPLES = """\b
Examples:
  ringfence retire us-west-2
  ringfence retire us-west-2 --leave-stack   # the Region is gone for good, and cannot be asked
"""

PATIENCE = 60.0
"""Seconds within which a Region has removed the rules."""


def retire(
    context: typer.Context,
    region: Annotated[str, typer.Argument(help="The Region that leaves.", autocompletion=completion.regions)],
    leave_stack: Annotated[
        bool, typer.Option("--leave-stack", help="Leave the Region's own stack and rules: it cannot be reached.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Takes a Region out of the cluster: its stack goes, its members' rules go everywhere, the others go on.

    Shows all of it and asks. Then, in this order: the Region's own stack is taken down, so that its engine puts
    nothing back; Ringfence's own rules in its groups go; the other stacks get the shorter list of Regions; their
    engines remove the rules of its members, of which you have just been told, so that the guard lets them go; and at
    last ringfence.toml loses the Region. What fails half-way is done by the same command again.

    Exit code 0 if the Region has left, 2 if it was shown and not done, 1 if something failed.
    """
    run, output = invocation(context), Output(as_json)
    cluster = run.cluster()
    retired = cluster.of(Region(region)).region
    rest, text, shorter = _without(run, cluster, retired)
    plan = _plan(run, rest, run.settings(cluster), retired, leave_stack)
    plan.diff = tuple(difflib.unified_diff(text.splitlines(), shorter.splitlines(), "now", "then", lineterm="", n=1))
    if not as_json:
        output.show({}, plan)
    if not (yes or (not as_json and confirm(f"Retire {retired}?", yes))):
        plan.deployer.drop(plan.proposals)
        if as_json:
            output.show(plan.document(), plan)
        raise typer.Exit(2)
    _carry_out(run, output, plan, rest, leave_stack)
    if not plan.failed:
        run.path.write_text(shorter)
        output.say(f"{run.path} names {retired} no more.")
    _tell(output, plan)
    if as_json:
        output.show(plan.document(), plan)
    raise typer.Exit(1 if plan.failed else 0)


def _without(run: Invocation, cluster: Cluster, retired: Region) -> tuple[Cluster, str, str]:
    """The cluster without the Region, the file's text, and the text without the Region. Raises CommandError."""
    rest = replace(cluster, regions=tuple(one for one in cluster.regions if one.region != retired))
    if not rest.regions:
        raise CommandError(f"{retired} is the only Region of {cluster.name}: use `ringfence destroy`")
    text = run.path.read_text()
    shorter = cluster_file.without(text, retired)
    if cluster_file.parse(shorter, run.path) != rest:
        raise CommandError(
            f"{run.path} cannot be edited for you: give every Region a table such as [regions.{retired}]"
        )
    return rest, text, shorter


def _tell(output: Output, plan: "Plan") -> None:
    for said in plan.done:
        output.say(said)
    for name, reason in plan.failed.items():
        output.say(Text.assemble((name, "bold"), "  ", (f"failed: {reason}", "red")))
    if plan.failed:
        output.say(f"`ringfence retire {plan.retired}` again does what is left.")


@dataclass(slots=True)
class Plan:
    """What a retirement is. `theirs` are the rules of the Region's members in the other Regions' groups, by id, `own`
    counts Ringfence's rules in the Region's own groups."""

    retired: Region
    deployer: Deployer
    proposals: Mapping[Region, Proposal]
    theirs: Mapping[RuleId, Rule]
    own: int
    failed: dict[Region, str] = field(default_factory=dict)
    diff: Sequence[str] = ()
    done: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "schema": SCHEMA,
            "region": self.retired,
            "stacks": Report(self.proposals, {}).document()["regions"],
            "rules_elsewhere": len(self.theirs),
            "rules_in_its_own_groups": self.own,
            "done": list(self.done),
            "failed": dict(self.failed),
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text.assemble((self.retired, "bold"), "  leaves: its stack goes down")
        yield Text(f"  - {self.own} rules that Ringfence made in its own groups", style="red")
        yield Text(f"  - {len(self.theirs)} rules of its members in the other Regions' groups", style="red")
        yield Text()
        yield Report(self.proposals, {})
        for line in self.diff:
            yield Text(line, style={"+": "green", "-": "red"}.get(line[:1], "dim"))


def _plan(
    run: Invocation, rest: Cluster, settings: Mapping[Region, Settings], retired: Region, leave_stack: bool
) -> Plan:
    found = survey(run.aws, settings, with_workings=False)
    failed = {name: why for name, why in found.unreachable.items() if name != retired or not leave_stack}
    deployer = Deployer(run.aws, rest, settings[retired].account, poll=run.poll)
    with Output().aside.status("asking CloudFormation what would change"):
        proposed = deployer.propose(rest.region_names) if not failed else {}
    failed |= {name: one.reason for name, one in proposed.items() if isinstance(one, Unreachable)}
    theirs, own = {}, 0
    for name, sight in found.sights.items():
        for rule in (rule for rules in sight.rules.values() for rule in rules):
            label = rule.label(rest.name)
            if label is not None and name == retired:
                own += 1
            elif label is not None and label.roster.region == retired:
                theirs[rule.id] = rule
    proposals = {name: one for name, one in proposed.items() if isinstance(one, Proposal)}
    if failed:
        deployer.drop(proposals)
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise CommandError(f"nothing was done, since not every Region answers: {reasons}")
    return Plan(retired, deployer, proposals, theirs, own)


def _carry_out(run: Invocation, output: Output, plan: Plan, rest: Cluster, leave_stack: bool) -> None:
    """Does it step by step, and ends at the first that fails: the same command again goes on from there."""
    progress = Progress(output, [plan.retired, *rest.region_names])
    try:
        with progress as tell:
            if not leave_stack:
                whole = replace(plan.deployer, cluster=run.cluster())
                if not _went(plan, whole.destroy([plan.retired], tell)):
                    return
                if not _went(plan, run.aws.each_region([plan.retired], whole.remove_rules, PATIENCE)):
                    return
            if not _went(plan, plan.deployer.deploy(plan.proposals, tell)):
                return
    except KeyboardInterrupt:
        raise interrupted(progress.under_way, f"retire {plan.retired}") from None
    settings = {name: rest.settings(name, plan.deployer.account) for name in rest.region_names}
    found = run.aws.each_region(settings, lambda name: by_function(run.aws, rest.name, name), PATIENCE)
    if not _well(plan, found):
        return
    if confirmed := _ours(held(survey(run.aws, settings, with_workings=False).entries), plan):
        again = run.aws.each_region(settings, lambda name: by_function(run.aws, rest.name, name, confirmed), PATIENCE)
        _well(plan, again)


def _went(plan: Plan, found: Mapping[Region, object]) -> bool:
    """Writes down what came of a step. Says whether it went well everywhere."""
    for region, one in found.items():
        if isinstance(one, Unreachable):
            plan.failed[region] = one.reason
        else:
            plan.done.append(f"{region}: {one if isinstance(one, str) else f'{one} rules removed'}")
    return not plan.failed


def _well(plan: Plan, found: Mapping[Region, Done | Unreachable]) -> bool:
    for region, one in found.items():
        if isinstance(one, Unreachable):
            plan.failed[region] = one.reason
        elif one.failure is not None:
            plan.failed[region] = one.failure
        else:
            plan.done.append(f"{region}: {one.removed} rules removed")
    return not plan.failed


def _ours(found: Sequence[Held], plan: Plan) -> list[Held]:
    """What the guard holds and the operator has been shown: nothing but rules of the Region's members."""
    return [one for one in found if one.rules <= plan.theirs.keys()]
