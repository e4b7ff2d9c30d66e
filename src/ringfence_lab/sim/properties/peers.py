"""Property 3, peers: a slow peer never delays the home Region beyond the peer deadline."""

from collections.abc import Iterator, Sequence

from ringfence.core.model.identifiers import Region
from ringfence_lab.sim.aws.history import ActionCompleted, CloudChange, RuleMade
from ringfence_lab.sim.engine.call import Call
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.context import CheckContext


def peer_deadlines_are_kept(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """After the deadline of a peer, no further call to it delays the home Region.

    A reading of the peer's rules starts earlier than the pass, and runs beside its first calls: it does not count.
    """
    if not isinstance(change, RuleMade | ActionCompleted) or change.by is None:
        return
    deadline = context.settings[change.by.home].peer_deadline
    began: dict[Region, float] = {}
    late: set[Region] = set()
    for call in _current_attempt(context.cloud.calls, change.by):
        if call.region == change.by.home or (call.service != "dynamodb" and call.region not in began):
            continue
        if call.operation == "DescribeSecurityGroupRules":
            continue
        if call.region in late:
            yield f"{change.by} called {call.operation} in {call.region} after its deadline"
            return
        if call.at > began.setdefault(call.region, call.at) + deadline:
            late.add(call.region)


def _current_attempt(calls: Sequence[Call], by: Invocation) -> list[Call]:
    """The invocation's calls since it last read its own table, in order."""
    found = []
    for call in reversed(calls):
        if call.invocation is by:
            found.append(call)
            if call.operation == "Scan" and call.region == by.home:
                break
        elif call.at < by.started:
            break
    return found[::-1]
