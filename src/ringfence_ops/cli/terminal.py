"""Where a command's words go: results to standard output, for people or for programs; all else to standard error.

Rich decides by itself whether there is a terminal, how wide it is, and whether colour is wanted (`NO_COLOR`).
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

from ringfence_ops.aws.errors import CommandError
from ringfence_ops.cli import completion

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else.")]
Regions = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REGION]...", help="By default all.", autocompletion=completion.regions),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

UNBOUND = 160
"""Columns where there is no terminal: what is searched by line should stand on one."""


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    unbound = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(stderr=stderr, highlight=False, width=UNBOUND if unbound else None)


@dataclass(slots=True)
class Output:
    """What a command shows. `as_json` says that a program reads it."""

    as_json: bool = False
    people: Console = field(default_factory=_console)
    aside: Console = field(default_factory=lambda: _console(stderr=True))

    def show(self, document: Mapping[str, Any], report: RenderableType) -> None:
        """The result: the document for programs, or the report for people."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, indent=2) + "\n")
        else:
            self.people.print(report)

    def line(self, document: Mapping[str, Any]) -> None:
        """One of many results for programs: JSON on one line."""
        sys.stdout.write(json.dumps(document) + "\n")

    def say(self, words: RenderableType) -> None:
        """Something beside the result: progress, a warning."""
        self.aside.print(words)


def confirm(question: str, yes: bool) -> bool:
    """Whether the operator agrees. Raises CommandError where nobody can be asked and `--yes` was not given."""
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError("there is no terminal to ask on: give --yes to go on without being asked")
    return typer.confirm(question, err=True)
