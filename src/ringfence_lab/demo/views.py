"""Shows the demo on a terminal, or as one JSON document. It must not know what is checked."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from ringfence_lab.demo.demo_script import Check
from ringfence_ops.plurals import counted


@dataclass(frozen=True, slots=True)
class TerminalView:
    """For people. Marks are words as well as colours, so that it reads the same without colours."""

    console: Console

    def chapter(self, number: int, title: str) -> None:
        """See View."""
        self.console.print(f"\n[bold]{number}. {title}[/bold]")

    def check(self, check: Check) -> None:
        """See View."""
        mark = "[green]ok  [/green]" if check.passed else "[red bold]FAIL[/red bold]"
        took = "" if check.milliseconds is None else f"{check.milliseconds:,.0f} ms"
        self.console.print(f"   {mark}  {took:>9}  {check.text}")

    def note(self, text: str) -> None:
        """See View."""
        self.console.print(f"         {'':>8}  [dim]{text}[/dim]")

    def end(self, checks: list[Check], seconds: float) -> None:
        """See View."""
        table = Table(title="Checks", title_justify="left")
        table.add_column("chapter")
        table.add_column("checks", justify="right")
        table.add_column("passed", justify="right")
        table.add_column("longest wait", justify="right")
        for chapter in dict.fromkeys(check.chapter for check in checks):
            of_chapter = [check for check in checks if check.chapter == chapter]
            longest = max((check.milliseconds or 0.0 for check in of_chapter), default=0.0)
            passed = sum(check.passed for check in of_chapter)
            table.add_row(chapter, str(len(of_chapter)), str(passed), f"{longest:,.0f} ms")
        self.console.print()
        self.console.print(table)
        failed = sum(not check.passed for check in checks)
        verdict = "all passed" if not failed else f"{failed} failed"
        self.console.print(f"{counted(len(checks), 'check')} in {seconds:.0f} s: {verdict}.")


@dataclass(frozen=True, slots=True)
class JsonView:
    """For programs: only one JSON document, at the end."""

    write: Callable[[str], object]

    def chapter(self, number: int, title: str) -> None:
        """See View."""

    def check(self, check: Check) -> None:
        """See View."""

    def note(self, text: str) -> None:
        """See View."""

    def end(self, checks: list[Check], seconds: float) -> None:
        """See View."""
        claims = [
            {"chapter": check.chapter, "text": check.text, "held": check.passed, "milliseconds": check.milliseconds}
            for check in checks
        ]
        held = bool(checks) and all(check.passed for check in checks)
        self.write(json.dumps({"held": held, "seconds": round(seconds, 1), "claims": claims}) + "\n")
