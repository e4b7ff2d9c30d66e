"""`ringfence plan`: what a reconcile of every Region would change now."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.text import Text

from ringfence.core.audit_events import HookCompleted, HookHeld, Problem, RegionFailed
from ringfence.core.model.identifiers import Region
from ringfence_ops.cli.columns import columns, widths
from ringfence_ops.cli.invocation import invocation
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.commands.history import address
from ringfence_ops.state.changes import Action, Change, digest, held
from ringfence_ops.state.snapshot import Survey, survey

SCHEMA = "ringfence.plan/1"

EXAMPLES = """\b
Examples:
  ringfence plan
  ringfence plan --json | jq -r '.changes[] | select(.action == "remove") | .address'
  ringfence sync --confirm 3f2a9c01b7de   # do what the plan with this digest said, held removals too
"""

SIGNS = {
    Action.ADD: ("+", "green"),
    Action.REMOVE: ("-", "red"),
    Action.RELABEL: ("~", "yellow"),
    Action.HOLD: ("!", "magenta"),
    Action.REFUSE: ("x", "red bold"),
}


def plan(context: typer.Context, as_json: AsJson = False) -> None:
    """Shows what a reconcile would change now, Region by Region, and changes nothing.

    It is the engines' own reconcile, on what AWS says now, with writes that go nowhere: the guard included. Quotas are
    not foreseen. The digest names exactly this plan, for `ringfence sync --confirm`.

    Exit code 0 if nothing is to be done, 2 if something is, 1 if a Region does not answer.
    """
    run = invocation(context)
    found = survey(run.aws, run.settings(run.cluster()), with_workings=False)
    Output(as_json).show(document(found), Report(found))
    raise typer.Exit(exit_code(found))


def exit_code(found: Survey) -> int:
    """The command's."""
    if found.unreachable or found.failures:
        return 1
    return 2 if found.planned else 0


def document(found: Survey) -> dict[str, Any]:
    """The plan for programs."""
    planned = found.planned
    return {
        "schema": SCHEMA,
        "digest": digest(planned),
        "changes": [changed(one) for one in planned],
        "held": [
            {"region": one.region, "security_group": one.group, "rules": sorted(one.rules), "digest": one.digest}
            for one in held(found.entries)
        ],
        "hooks": [
            {"auto_scaling_group": one.group, "instance": one.instance, "answer": answer, "why": one.why}
            for one, answer in hooks(found)
        ],
        "problems": list(problems(found)),
        "unreachable": dict(found.unreachable),
    }


def changed(one: Change) -> dict[str, Any]:
    """A change for programs."""
    return {
        "region": one.region,
        "security_group": one.group,
        "action": one.action.value,
        "address": None if one.opening is None else one.opening.cidr,
        "ports": None if one.opening is None else str(one.opening.ports),
        "rule": one.rule,
        "auto_scaling_group": None if one.label is None else str(one.label.roster),
        "instance": None if one.label is None else one.label.instance,
        "was": None if one.was is None else one.was.instance,
        "why": one.why,
        "observed": one.observed,
    }


def hooks(found: Survey) -> Iterator[tuple[HookCompleted | HookHeld, str | None]]:
    """The instances that wait for a hook, with the answer that they would get; None where they are left waiting."""
    for entry in found.entries:
        if isinstance(entry, HookCompleted):
            yield entry, entry.result
        elif isinstance(entry, HookHeld):
            yield entry, None


def problems(found: Survey) -> Iterator[str]:
    """What a reconcile would report beside its changes, each once."""
    said = [entry.what for entry in found.entries if isinstance(entry, Problem)]
    said += [
        f"{entry.region}: {entry.error}"
        for entry in found.entries
        if isinstance(entry, RegionFailed) and entry.region not in found.unreachable
    ]
    said += [f"{region}: {failure}" for region, failure in found.failures.items()]
    yield from dict.fromkeys(said)


class Report:
    """The plan for people."""

    def __init__(self, found: Survey) -> None:
        self.found = found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, planned = self.found, self.found.planned
        yield from diff(planned)
        for one, answer in hooks(found):
            said = "would be left waiting" if answer is None else f"would be answered {answer}"
            yield Text(f"{one.instance} of {one.group} {said}: {one.why}", style="cyan")
        for problem in problems(found):
            yield Text(problem, style="red")
        for region, reason in found.unreachable.items():
            yield Text(f"{region}: unreachable: {reason}", style="red")
        yield total(planned) if planned or not found.unreachable else Text("Nothing to do in the Regions that answer.")
        if planned:
            yield Text.assemble("digest ", (digest(planned), "bold"))
        for each in held(found.entries):
            yield Text(
                f"{len(each.rules)} removals in {each.group} are held: the next look, a minute later, must agree,"
                f" or you: ringfence sync --confirm {digest(planned)}",
                style="magenta",
            )


def diff(planned: Sequence[Change]) -> Iterator[Any]:
    """The changes, group by group."""
    groups: dict[tuple[Region, str], list[Change]] = {}
    for one in planned:
        groups.setdefault((one.region, one.group), []).append(one)
    fixed = widths([row(one) for one in planned], 3)
    for (region, group), changes in groups.items():
        yield Text.assemble((region, "bold"), f"  {group}")
        yield Padding(columns([row(one) for one in changes], fixed), (0, 0, 1, 2))


def row(one: Change) -> list[Text]:
    """One line of the diff."""
    sign, style = SIGNS[one.action]
    opening = "?" if one.opening is None else address(one.opening.cidr)
    who = "foreign" if one.label is None else one.label.instance
    said = f"{one.label.roster}  {one.why}" if one.label is not None else one.why
    if one.was is not None:
        said += f", was {one.was.instance}'s"
    if one.action is Action.HOLD:
        said += ": held"
    if one.observed:
        said += "  (observed: nothing is done)"
    ports = "" if one.opening is None else str(one.opening.ports)
    return [Text(f"{sign} {opening}", style=style), Text(ports), Text(who), Text(said.strip(), style="dim")]


_COUNTED: Mapping[Action, str] = {
    Action.ADD: "to add",
    Action.REMOVE: "to remove",
    Action.RELABEL: "to relabel",
    Action.HOLD: "held",
    Action.REFUSE: "refused",
}


def total(planned: Iterable[Change], counted: Mapping[Action, str] = _COUNTED) -> Text:
    """How many of each."""
    counts = {action: sum(one.action is action for one in planned) for action in Action}
    said = ", ".join(f"{count} {counted[action]}" for action, count in counts.items() if count)
    return Text(said) if said else Text("In sync: nothing to do.", style="green")
