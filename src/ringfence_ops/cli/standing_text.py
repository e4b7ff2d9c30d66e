"""How a Region stands, in words for a terminal: the same in every command."""

from collections.abc import Iterable, Iterator

from ringfence_ops.cli.text import Text
from ringfence_ops.state.standing import Reason, Standing, State

_STYLES = {
    State.UNKNOWN: "red",
    State.FAILING: "red",
    State.OPEN: "red",
    State.LACKING: "yellow",
    State.WAITING: "yellow",
    State.PAUSED: "cyan",
    State.OBSERVED: "cyan",
    State.IN_SYNC: "green",
}


def state_text(state: State) -> Text:
    """The state."""
    return Text(state, style=_STYLES[state])


def reason_text(reason: Reason) -> Text:
    """A reason, and below it what fixes it."""
    text = Text(reason.why, style=_STYLES[reason.state])
    return text.line(f"→ {reason.fix}", "dim") if reason.fix else text


def standing_lines(standings: Iterable[Standing]) -> Iterator[Text]:
    """A line for each Region that is not in sync, and for each of its reasons what fixes it."""
    for standing in standings:
        if standing.reasons:
            yield Text.assemble((standing.region, "bold"), "  is ", state_text(standing.state))
        for reason in standing.reasons:
            yield Text(f"  {reason.state}: {reason.why}", style=_STYLES[reason.state]).line(f"  → {reason.fix}", "dim")
