"""Lines of the audit log about pauses: a Region was paused or resumed, as its engine saw it, and who did that.

`ringfence.runtime.telemetry` writes these lines. Anyone who may write into the log group can write lines too: a line of
another form is skipped, and a field of another type is left out. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ringfence.core.model.identifiers import Region
from ringfence_ops.logs.json_values import NAME_LIMIT, text_of

_MESSAGES = {"paused": False, "resumed": True}

PATTERN = " || ".join(f'($.message = "{message}")' for message in _MESSAGES)
"""The condition of CloudWatch Logs for these lines."""


@dataclass(frozen=True, slots=True)
class LoggedPause:
    """A Region was paused, or resumed if `is_over`. `at` is when its engine saw it, in epoch seconds."""

    at: float
    engine: Region
    is_over: bool
    by: str
    why: str


def logged_pause(at: float, engine: Region, line: Mapping[str, Any]) -> LoggedPause | None:
    """The pause that a line of the log reports; None where it reports something else."""
    is_over = _MESSAGES.get(text_of(line.get("message")) or "")
    if is_over is None:
        return None
    return LoggedPause(
        at, engine, is_over, text_of(line.get("by"), NAME_LIMIT) or "", text_of(line.get("why"), NAME_LIMIT) or ""
    )
