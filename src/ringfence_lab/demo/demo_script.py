"""Tells a story in chapters of claims, each checked as it is made, on a terminal or as JSON.

Knows nothing of what is claimed.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Protocol

from rich.console import Console
from rich.table import Table

from ringfence_lab.demo.observer import wait_until


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that was said, whether it held, and the milliseconds it took to come true."""

    chapter: str
    text: str
    held: bool
    milliseconds: float | None


class View(Protocol):
    """Shows a story while it is told."""

    def chapter(self, number: int, title: str) -> None:
        """A new chapter begins."""

    def claim(self, claim: Claim) -> None:
        """A claim was checked."""

    def note(self, text: str) -> None:
        """Something that is told and not claimed."""

    def end(self, claims: list[Claim], seconds: float) -> None:
        """The story is over."""


@dataclass(slots=True)
class Story:
    """The claims made so far."""

    view: View
    claims: list[Claim] = field(default_factory=list)
    _chapters: int = 0
    _title: str = ""
    _started: float = field(default_factory=time.monotonic)

    def chapter(self, title: str) -> None:
        """Begins a chapter."""
        self._chapters += 1
        self._title = title
        self.view.chapter(self._chapters, title)

    def claim(self, text: str, held: bool, seconds: float | None = None) -> bool:
        """Claims what was just seen; `seconds` is how long it took."""
        claim = Claim(self._title, text, held, None if seconds is None else round(seconds * 1000, 1))
        self.claims.append(claim)
        self.view.claim(claim)
        return held

    def claim_soon(self, text: str, condition: Callable[[], bool], within: float) -> bool:
        """Claims what comes true within so many seconds, and measures how long it takes."""
        seconds = wait_until(condition, within)
        return self.claim(text, seconds is not None, seconds)

    def note(self, text: str) -> None:
        """Tells something that is not claimed."""
        self.view.note(text)

    def end(self) -> bool:
        """Ends the story; returns whether every claim held, and there was one."""
        self.view.end(self.claims, time.monotonic() - self._started)
        return bool(self.claims) and all(claim.held for claim in self.claims)


@dataclass(frozen=True, slots=True)
class OnTerminal:
    """For people. Marks are words as well as colours, so that it reads the same without them."""

    console: Console

    def chapter(self, number: int, title: str) -> None:
        """See View."""
        self.console.print(f"\n[bold]{number}. {title}[/bold]")

    def claim(self, claim: Claim) -> None:
        """See View."""
        mark = "[green]ok  [/green]" if claim.held else "[red bold]FAIL[/red bold]"
        took = "" if claim.milliseconds is None else f"{claim.milliseconds:,.0f} ms"
        self.console.print(f"   {mark}  {took:>9}  {claim.text}")

    def note(self, text: str) -> None:
        """See View."""
        self.console.print(f"         {'':>8}  [dim]{text}[/dim]")

    def end(self, claims: list[Claim], seconds: float) -> None:
        """See View."""
        table = Table(title="What was claimed, and held", title_justify="left")
        table.add_column("chapter")
        table.add_column("claims", justify="right")
        table.add_column("held", justify="right")
        table.add_column("longest wait", justify="right")
        for chapter in dict.fromkeys(claim.chapter for claim in claims):
            own = [claim for claim in claims if claim.chapter == chapter]
            longest = max((claim.milliseconds or 0.0 for claim in own), default=0.0)
            table.add_row(chapter, str(len(own)), str(sum(claim.held for claim in own)), f"{longest:,.0f} ms")
        self.console.print()
        self.console.print(table)
        failed = sum(not claim.held for claim in claims)
        verdict = "every claim held" if not failed else f"{failed} of {len(claims)} claims did not hold"
        self.console.print(f"{len(claims)} claims in {seconds:.0f} s: {verdict}.")


@dataclass(frozen=True, slots=True)
class AsJson:
    """For programs: one JSON document at the end, and nothing else."""

    write: Callable[[str], object]

    def chapter(self, number: int, title: str) -> None:
        """See View."""

    def claim(self, claim: Claim) -> None:
        """See View."""

    def note(self, text: str) -> None:
        """See View."""

    def end(self, claims: list[Claim], seconds: float) -> None:
        """See View."""
        held = bool(claims) and all(claim.held for claim in claims)
        document = {"held": held, "seconds": round(seconds, 1), "claims": [asdict(claim) for claim in claims]}
        self.write(json.dumps(document) + "\n")
