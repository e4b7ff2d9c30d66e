"""Where a command writes: results to standard output, for people or for programs; everything else to standard error.

Rich detects whether there is a terminal, its width, and whether colour is wanted (`NO_COLOR`).
"""

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, RenderableType

from ringfence_ops.cli import completion
from ringfence_ops.errors import CommandError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else.")]
Regions = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REGION]...", help="By default all.", autocompletion=completion.regions),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

WIDTH_WITHOUT_TERMINAL = 160
"""Columns where there is no terminal: wide, so that a result that is searched by line stays on one line."""


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    is_wide = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(stderr=stderr, highlight=False, width=WIDTH_WITHOUT_TERMINAL if is_wide else None)


@dataclass(slots=True, kw_only=True)
class Output:
    """What a command prints. With `as_json`, the result is a document for programs."""

    as_json: bool = False
    results: Console = field(default_factory=_console)
    messages: Console = field(default_factory=lambda: _console(stderr=True))

    def show(self, document: "DataclassInstance", report: RenderableType) -> None:
        """Prints the result: the document for programs, or the report for people."""
        self.show_report(report)
        self.show_document(document)

    def show_report(self, report: RenderableType) -> None:
        """Prints a report for people, and nothing for programs."""
        if not self.as_json:
            self.results.print(report)

    def show_document(self, document: "DataclassInstance") -> None:
        """Prints a document for programs, and nothing for people."""
        if self.as_json:
            sys.stdout.write(_json(document, indent=2))

    def line(self, document: "DataclassInstance") -> None:
        """Prints one of many results for programs: JSON on one line."""
        sys.stdout.write(_json(document))

    def say(self, message: RenderableType) -> None:
        """Prints what is not part of the result: progress, or a warning."""
        self.messages.print(message)


def _json(document: "DataclassInstance", indent: int | None = None) -> str:
    """The document as JSON. Enumerations are written by value."""
    return json.dumps(asdict(document), indent=indent, default=lambda member: member.value) + "\n"


def confirm(question: str, *, yes: bool) -> bool:
    """Whether the operator agrees. Raises CommandError where there is no terminal to ask on and `--yes` is missing."""
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError("there is no terminal to ask on: give --yes to continue without being asked")
    return typer.confirm(question, err=True)
