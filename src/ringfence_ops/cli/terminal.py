"""Where a command writes: results to standard output, for people or for programs; everything else to standard error.

All output passes through this module, prompts and errors included, so that no text from outside controls the terminal.
Rich detects whether there is a terminal, its width, and whether colour is wanted (`NO_COLOR`).
"""

import json
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ringfence_ops.cli import completion
from ringfence_ops.cli.text import Text, visible
from ringfence_ops.errors import CommandError, WrongUsage

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else.")]
Regions = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REGION]...", help="By default all.", autocompletion=completion.regions),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

WIDTH_WITHOUT_TERMINAL = 10_000
"""Columns where there is no terminal: a result that is searched by line stays on one line. Above `text.LIMIT`."""

_PADDING = re.compile(r" +((?:\x1b\[[0-9;]*m)*)$", re.MULTILINE)
"""Blanks at the end of a line, before what ends its colour."""


class _Console(Console):
    """A console that escapes what `Text` has not: whatever is printed, only Rich itself controls the terminal.

    Where there is no terminal, it neither wraps nor pads lines.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        if self.file.isatty():
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        self.file.write(_PADDING.sub(r"\1", captured.get()))
        self.file.flush()  # a command that follows a log prints each line when it is known

    def on_broken_pipe(self) -> None:
        """What reads the output has ended: the command ends too. Rich would end the process."""
        raise BrokenPipeError

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            is_shown = segment.control or segment.text.isprintable() or not segment.text.strip(" \n")
            yield segment if is_shown else Segment(_lines(segment.text), segment.style)


def console(*, stderr: bool = False, markup: bool = False, quiet: bool = False) -> Console:
    """A console on standard output, or on standard error. `markup` is for texts of ours alone."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    return _Console(stderr=stderr, highlight=False, markup=markup, emoji=False, width=width, quiet=quiet)


def _lines(text: str) -> str:
    """The text, visible line by line."""
    return "\n".join(map(visible, text.split("\n")))


@dataclass(slots=True, kw_only=True)
class Output:
    """What a command prints. With `as_json`, the result is a document for programs."""

    as_json: bool = False
    results: Console = field(default_factory=console)
    messages: Console = field(default_factory=lambda: console(stderr=True))

    def show(self, document: "DataclassInstance", report: RenderableType) -> None:
        """Prints the result: the document for programs, or the report for people."""
        self.show_report(report)
        self.show_document(document)

    def show_report(self, report: RenderableType) -> None:
        """Prints a report for people, and nothing for programs."""
        if not self.as_json:
            self.results.print(report)

    def show_unwrapped(self, text: Text) -> None:
        """Prints a part of a report for people without breaking its lines, so that a command in it can be copied."""
        if not self.as_json:
            self.results.print(text, soft_wrap=True)

    def show_document(self, document: "DataclassInstance") -> None:
        """Prints a document for programs, and nothing for people."""
        if self.as_json:
            sys.stdout.write(_json(document, indent=2))

    def show_version(self, version: str) -> None:
        """Prints the version of the program."""
        typer.echo(f"ringfence {visible(version)}")

    def show_json(self, body: object) -> None:
        """Prints JSON that is itself the result, such as a file for another program."""
        sys.stdout.write(json.dumps(body, indent=2) + "\n")

    def show_file(self, text: str) -> None:
        """Prints a file of ours that is itself the result, as it is."""
        sys.stdout.write(text)

    def line(self, document: "DataclassInstance") -> None:
        """Prints one of many results for programs, at once: JSON on one line."""
        sys.stdout.write(_json(document))
        sys.stdout.flush()

    def say(self, message: RenderableType) -> None:
        """Prints what is not part of the result: progress, or a warning."""
        self.messages.print(Text(message) if isinstance(message, str) else message)

    def working(self, what: str) -> AbstractContextManager[object]:
        """Shows what is being done while the context lasts, on a terminal only."""
        return self.messages.status(Text(what))

    def fail(self, error: CommandError) -> None:
        """Prints an error: one line."""
        _write_message(f"ringfence: {' '.join(str(error).split())}")

    def trace(self) -> None:
        """Prints the traceback of the exception that is being handled."""
        _write_message(_lines(traceback.format_exc().rstrip("\n")))


def _write_message(text: str) -> None:
    """Writes one message to standard error, on one line however wide the terminal is."""
    typer.echo(_lines(text), err=True)


def _json(document: "DataclassInstance", indent: int | None = None) -> str:
    """The document as JSON in printable ASCII. Enumerations are written by value.

    Raises ValueError for a number that JSON does not have.
    """
    text = json.dumps(asdict(document), indent=indent, default=lambda member: member.value, allow_nan=False)
    return text.replace("\x7f", "\\u007f") + "\n"


def ask(question: str, default: str | None = None) -> str:
    """What the operator types, or the default."""
    return str(typer.prompt(visible(question), default=default and visible(default), err=True))


def confirm(question: str, *, yes: bool) -> bool:
    """Whether the operator agrees. Raises WrongUsage where there is no terminal to ask on and `--yes` is missing."""
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise WrongUsage("there is no terminal to ask on: give --yes to continue without being asked")
    return typer.confirm(visible(question), err=True)
