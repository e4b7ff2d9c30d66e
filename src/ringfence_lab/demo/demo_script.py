"""The script of the demo: chapters with checks, each of which is recorded and shown when it is made.

It must not know what is checked, or how it is shown.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ringfence_lab.demo.observer import wait_until


@dataclass(frozen=True, slots=True)
class Check:
    """A statement, whether it was true, and the milliseconds until it was."""

    chapter: str
    text: str
    passed: bool
    milliseconds: float | None


class View(Protocol):
    """Shows a demo while it runs."""

    def chapter(self, number: int, title: str) -> None:
        """A chapter begins."""

    def check(self, check: Check) -> None:
        """A check was made."""

    def note(self, text: str) -> None:
        """A remark without a check."""

    def end(self, checks: list[Check], seconds: float) -> None:
        """The demo has ended."""


@dataclass(slots=True)
class DemoScript:
    """The checks made so far."""

    view: View
    checks: list[Check] = field(default_factory=list)
    _chapters: int = 0
    _title: str = ""
    _started: float = field(default_factory=time.monotonic)

    def chapter(self, title: str) -> None:
        """Begins a chapter."""
        self._chapters += 1
        self._title = title
        self.view.chapter(self._chapters, title)

    def check(self, text: str, *, passed: bool, seconds: float | None = None) -> None:
        """Records a statement with its truth; `seconds` is how long it took."""
        check = Check(self._title, text, passed, None if seconds is None else round(seconds * 1000, 1))
        self.checks.append(check)
        self.view.check(check)

    def check_within(self, seconds: float, text: str, condition: Callable[[], bool]) -> None:
        """Records a statement that becomes true within so many seconds, and measures how long it takes."""
        took = wait_until(condition, seconds)
        self.check(text, passed=took is not None, seconds=took)

    def note(self, text: str) -> None:
        """Shows a remark without a check."""
        self.view.note(text)

    def end(self) -> bool:
        """Ends the demo. Returns whether there were checks, and all passed."""
        self.view.end(self.checks, time.monotonic() - self._started)
        return bool(self.checks) and all(check.passed for check in self.checks)
