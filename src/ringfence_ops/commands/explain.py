"""`ringfence explain`: who an address, an instance or a rule is, where it is admitted, since when and why, and whether
that is right."""

import time
from typing import Annotated, assert_never

import typer

from ringfence_ops.cli import times
from ringfence_ops.cli.command_run import command_run
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.commands import history
from ringfence_ops.commands.decision_rows import decision_item
from ringfence_ops.commands.explain_report import ExplainReport
from ringfence_ops.documents.explain import (
    AdviceItem,
    ClaimedItem,
    DepartedItem,
    DoorItem,
    ExplainDocument,
    IdentityItem,
    JoiningItem,
    MakerItem,
    MemberItem,
    OtherAddressItem,
    StaticItem,
    StrangerItem,
)
from ringfence_ops.errors import WrongUsage
from ringfence_ops.explain.advice import advice
from ringfence_ops.explain.explanation import (
    ClaimedAddress,
    ClusterMember,
    DepartedInstance,
    Door,
    Identity,
    JoiningInstance,
    OtherAddress,
    StaticMember,
    Stranger,
)
from ringfence_ops.explain.full_explanation import FullExplanation, read_explanation
from ringfence_ops.explain.subject import Subject

EXAMPLES = """\b
Examples:
  ringfence explain 203.0.113.7
  ringfence explain i-0123456789abcdef0
  ringfence explain sgr-0123456789abcdef0 --since 30d
"""


def explain(
    context: typer.Context,
    *,
    subject: Annotated[
        str, typer.Argument(metavar="ADDRESS|INSTANCE|RULE-ID", help="The address, instance or rule to explain.")
    ],
    since: Annotated[str, typer.Option(help="How far to read back in the audit log.")] = "7d",
    as_json: AsJson = False,
) -> None:
    """Says who an address, an instance or a rule is, where it is admitted, since when and why, and if that is right.

    If it is not right, it says what the next reconcile does about it. Changes nothing.

    Exit code 0 if everything is right, 2 if something has to be done, 1 if a Region does not answer.
    """
    run = command_run(context)
    now = time.time()
    try:
        question, start = Subject.parse(subject), times.parse(since, now)
    except ValueError as error:
        raise WrongUsage(str(error)) from None
    cluster = run.cluster()
    found = read_explanation(run.aws, cluster, run.expected(cluster), question, start)
    Output(as_json=as_json).show(document(found), ExplainReport(found))
    raise typer.Exit(1 if found.unreachable else 0 if found.is_right else 2)


def document(found: FullExplanation) -> ExplainDocument:
    """The explanation for programs."""
    explanation = found.explanation
    return ExplainDocument(
        subject=explanation.subject.text,
        addresses=list(explanation.addresses),
        right=found.is_right,
        identities=[_identity_item(identity) for identity in explanation.identities],
        doors=[_door_item(door, found) for door in explanation.doors],
        narrower_rules=explanation.narrower,
        advice=[AdviceItem(piece.why, piece.command) for piece in advice(found)],
        decisions=[decision_item(decision) for decision in found.decisions],
        history=[history.item(change) for change in found.changes],
        unreachable=dict(found.unreachable),
    )


def _identity_item(identity: Identity) -> IdentityItem:
    match identity:
        case ClusterMember(roster, instance, member, state):
            return MemberItem(
                instance=instance,
                auto_scaling_group=str(roster),
                since=times.timestamp(member.since),
                state=member.state,
                lifecycle_state=state,
            )
        case JoiningInstance(roster, instance, state):
            return JoiningItem(instance=instance, auto_scaling_group=str(roster), lifecycle_state=state)
        case DepartedInstance(roster, instance, at):
            departed = None if at is None else times.timestamp(at)
            return DepartedItem(instance=instance, auto_scaling_group=str(roster), at=departed)
        case StaticMember(cidr):
            return StaticItem(cidr=cidr)
        case OtherAddress(roster, instance, kind, prefix):
            return OtherAddressItem(instance=instance, auto_scaling_group=str(roster), address_kind=kind, prefix=prefix)
        case ClaimedAddress(table, roster, instance):
            return ClaimedItem(instance=instance, auto_scaling_group=str(roster), table=table)
        case Stranger(region, instance):
            return StrangerItem(instance=instance, region=region)
        case _:
            assert_never(identity)


def _door_item(door: Door, found: FullExplanation) -> DoorItem:
    addition, call = found.added_by(door), found.made_by(door)
    since = addition.at if addition is not None else call.at if call is not None else None
    return DoorItem(
        region=door.region,
        security_group=door.group,
        address=door.opening.cidr,
        ports=str(door.opening.ports),
        rule=door.rule.id if door.rule is not None else None,
        description=door.rule.description if door.rule is not None else None,
        owned=door.label is not None,
        verdict=door.verdict,
        reason=door.reason,
        wider=door.wider,
        since=None if since is None else times.timestamp(since),
        causes=list(addition.causes) if addition is not None else [],
        made_by=None if call is None else MakerItem(who=call.caller, action=call.operation, event=call.event_id),
    )
