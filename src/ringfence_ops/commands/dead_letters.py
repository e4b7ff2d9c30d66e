"""`ringfence dead-letters`: what the engines could not handle, and what to do with it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli import completion, times
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.command_run import CommandRun, command_run
from ringfence_ops.cli.terminal import AsJson, Output, Yes, confirm
from ringfence_ops.cli.text import Text
from ringfence_ops.documents.dead_letters import DeadLetterItem, DeadLettersDocument
from ringfence_ops.errors import CommandError, WrongUsage
from ringfence_ops.state.dead_letters import DeadLetter, DeadLetterQueue, Handled, Letters, matching

EXAMPLES = """\b
Examples:
  ringfence dead-letters                            # of all Regions, each with its reason
  ringfence dead-letters show 2f1c60aa
  ringfence dead-letters send-back 2f1c60aa         # once its cause is gone
  ringfence dead-letters discard --all
"""

READING, HANDLING = 10.0, 120.0
"""Seconds that reading the queues, and handling all their messages, may take."""

SHORT = 8
"""Characters of an id that are shown: enough to tell it from the others."""

InRegions = Annotated[
    list[str] | None,
    typer.Option("--region", metavar="REGION", help="By default all.", autocompletion=completion.regions),
]
Id = Annotated[str | None, typer.Argument(metavar="[ID]", help="The id of a dead letter, or the beginning of it.")]
All = Annotated[bool, typer.Option("--all", help="All that were there when the command began.")]

dead_letters = typer.Typer(
    name="dead-letters", invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)


@dead_letters.callback()
def list_letters(context: typer.Context, *, regions: InRegions = None, as_json: AsJson = False) -> None:
    """Lists what the engines could not handle, with the reason for each. Changes nothing.

    A dead letter that is about an instance needs no haste: the next true-up does what the event asked for. Send a dead
    letter back when its cause is gone, or discard it. A queue shows at most ten.

    Exit code 0 if there is none, 2 if there are some, 1 if a Region does not answer.
    """
    if context.invoked_subcommand is not None:
        if regions or as_json:
            raise typer.BadParameter(f"give the options after `{context.invoked_subcommand}`")
        return
    run, output = command_run(context), Output(as_json=as_json)
    report = _read(run, regions, output)
    output.show(report.document(), report)
    raise typer.Exit(1 if report.failed else 2 if report.letters or report.others else 0)


@dead_letters.command()
def show(
    context: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="The id of a dead letter, or the beginning of it.")],
    *,
    regions: InRegions = None,
    as_json: AsJson = False,
) -> None:
    """Shows one dead letter with its body. Changes nothing."""
    run, output = command_run(context), Output(as_json=as_json)
    report = _read(run, regions, output)
    letter = report.only(id)
    found = LettersReport(report.at, [letter])
    output.show(found.document(), OneLetter(letter, report.at))


@dead_letters.command("send-back")
def send_back(
    context: typer.Context,
    id: Id = None,
    *,
    every: All = False,
    regions: InRegions = None,
    as_json: AsJson = False,
) -> None:
    """Sends one dead letter, or all, to the queue of events again. The engine handles it at once.

    What it asks for is judged again: an event that is older than a minute is only a reason to look.

    Exit code 0 if it was sent back, 1 if it is still there.
    """
    run, output = command_run(context), Output(as_json=as_json)
    _require_one(id, every=every)
    report = _read(run, regions, output)
    _handle(run, output, report, id, "sent back")


@dead_letters.command()
def discard(
    context: typer.Context,
    id: Id = None,
    *,
    every: All = False,
    regions: InRegions = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Deletes one dead letter, or all, for ever. It asks before.

    Exit code 0 if it was deleted, 1 if it is still there.
    """
    run, output = command_run(context), Output(as_json=as_json)
    _require_one(id, every=every)
    report = _read(run, regions, output)
    if id is not None:
        question = f"Discard {_short(report.only(id))}, {report.only(id).what}?"
    else:
        question = f"Discard all {report.count} dead letters in {', '.join(report.regions) or 'no Region'}?"
    if report.count and not confirm(question, yes=yes):
        raise CommandError("nothing was discarded")
    _handle(run, output, report, id, "discarded")


def _require_one(id: str | None, *, every: bool) -> None:
    """Raises BadParameter unless the operator named a letter, or all."""
    if (id is None) is not every:
        raise typer.BadParameter("give the ID of a dead letter, or --all")


def _read(run: CommandRun, regions: Sequence[str] | None, output: Output) -> "LettersReport":
    cluster = run.cluster()
    chosen = [cluster.of(Region(region)).region for region in regions or cluster.region_names]
    run.aws.prepare(("sqs",), chosen[0])

    def read(region: Region) -> Letters:
        return DeadLetterQueue.open(run.aws, cluster.name, region).read()

    report = LettersReport(time.time())
    with output.working(f"dead letters of {', '.join(chosen)}"):
        answers = run.aws.each_region(chosen, read, READING)
    for region, answer in answers.items():
        match answer:
            case Unreachable(reason=reason):
                report.failed[region] = reason
            case Letters(shown=shown, others=others):
                report.letters += shown
                if others:
                    report.others[region] = others
    return report


def _handle(
    run: CommandRun,
    output: Output,
    report: "LettersReport",
    id: str | None,
    outcome: Literal["sent back", "discarded"],
) -> None:
    """Sends back or discards the letter with this id, or all that were there when the command began."""
    cluster = run.cluster()
    named = None if id is None else report.only(id)
    regions = report.regions if named is None else [named.region]

    def handle(region: Region) -> Handled:
        queue = DeadLetterQueue.open(run.aws, cluster.name, region)
        act: Callable[..., Handled] = queue.send_back if outcome == "sent back" else queue.discard
        if named is not None:
            return act(lambda letter: letter.id == named.id, 1)
        # What is sent back and fails again comes back as another letter: without this, there might be no end.
        return act(lambda letter: letter.sent_at < queue.opened_at + 1)

    done = HandledReport(report.at, outcome, failed=dict(report.failed) if named is None else {})
    with output.working(f"dead letters of {', '.join(regions)}"):
        answers = run.aws.each_region(regions, handle, HANDLING)
    for region, answer in answers.items():
        if isinstance(answer, Unreachable):
            done.failed[region] = answer.reason
        else:
            done.done += answer.done
            done.kept += answer.kept
    if named is not None and not (done.done or done.kept or done.failed):
        raise CommandError(f"the queue does not show {named.id} at the moment: try again in 30 s")
    output.show(done.document(), done)
    raise typer.Exit(1 if done.failed or done.kept else 0)


def _short(letter: DeadLetter) -> str:
    return letter.id[:SHORT]


def _item(
    letter: DeadLetter, outcome: Literal["kept", "sent back", "discarded"] = "kept", problem: str | None = None
) -> DeadLetterItem:
    return DeadLetterItem(
        region=letter.region,
        id=letter.id,
        at=times.timestamp(letter.sent_at),
        what=letter.what,
        instance=letter.instance,
        why=letter.why,
        body=letter.body,
        changes=letter.changes,
        outcome=outcome,
        problem=problem,
    )


@dataclass(slots=True)
class LettersReport:
    """The dead letters that the queues show, and the numbers of the others. `at` is in epoch seconds."""

    at: float
    letters: list[DeadLetter] = field(default_factory=list)
    others: dict[Region, int] = field(default_factory=dict)
    failed: dict[Region, str] = field(default_factory=dict)

    @property
    def regions(self) -> list[Region]:
        """The Regions that have dead letters."""
        return list(dict.fromkeys([*(letter.region for letter in self.letters), *self.others]))

    @property
    def count(self) -> int:
        """The approximate number of all of them."""
        return len(self.letters) + sum(self.others.values())

    def only(self, id: str) -> DeadLetter:
        """The one letter whose id begins so. Raises CommandError."""
        match matching(self.letters, id):
            case [letter]:
                return letter
            case []:
                hidden = "; a queue shows at most ten" if self.others else ""
                silent = "".join(f"; {region}: {reason}" for region, reason in self.failed.items())
                raise CommandError(f"no dead letter {id}{hidden}{silent}: `ringfence dead-letters` lists them")
            case several:
                ids = ", ".join(letter.id for letter in several)
                raise WrongUsage(f"{len(several)} dead letters have an id that begins with {id}: {ids}")

    def document(self) -> DeadLettersDocument:
        """The letters for programs."""
        return DeadLettersDocument(
            letters=[_item(letter) for letter in self.letters], others=dict(self.others), failed=dict(self.failed)
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for region in self.regions:
            letters = [letter for letter in self.letters if letter.region == region]
            yield Text(region, style="bold")
            if letters:
                yield Padding(columns([list(_row(letter, self.at)) for letter in letters], 2), (0, 0, 1, 2))
            if more := self.others.get(region):
                yield Text(f"  and about {more} more, which the queue does not show at the moment", style="yellow")
        yield from _failures(self.failed)
        if self.letters:
            some = _short(self.letters[0])
            yield Text("To see one, or when its cause is gone:", style="dim")
            for command in ("show", "send-back", "discard"):
                yield Text(f"  ringfence dead-letters {command} {some}", style="dim")
        elif not self.count and not self.failed:
            yield Text("No dead letters.", style="green")


@dataclass(frozen=True, slots=True)
class OneLetter:
    """One dead letter with all that is known of it. `at` is in epoch seconds."""

    letter: DeadLetter
    at: float

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        letter = self.letter
        lines = [
            ("id", letter.id),
            ("Region", letter.region),
            ("sent", f"{times.timestamp(letter.sent_at)}, {times.age(self.at - letter.sent_at)} ago"),
            ("what", letter.what),
            ("why", letter.why),
        ]
        if letter.changes:
            lines.append(("body", f"as the engine stored it: {letter.changes}"))
        yield columns([[Text(name, style="dim"), Text(said)] for name, said in lines], 1)
        yield Text()
        yield Text(letter.body)
        yield Text()
        if letter.instance is not None:
            yield Text(f"ringfence explain {letter.instance}", style="dim")
        if letter.is_whole:
            yield Text(f"ringfence dead-letters send-back {_short(letter)}", style="dim")
        yield Text(f"ringfence dead-letters discard {_short(letter)}", style="dim")


@dataclass(slots=True)
class HandledReport:
    """What became of dead letters. `at` is in epoch seconds."""

    at: float
    outcome: Literal["sent back", "discarded"]
    done: list[DeadLetter] = field(default_factory=list)
    kept: list[tuple[DeadLetter, str]] = field(default_factory=list)
    failed: dict[Region, str] = field(default_factory=dict)

    def document(self) -> DeadLettersDocument:
        """What was done for programs."""
        done = [_item(letter, self.outcome) for letter in self.done]
        kept = [_item(letter, problem=why) for letter, why in self.kept]
        return DeadLettersDocument(letters=[*done, *kept], others={}, failed=dict(self.failed))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for letter in self.done:
            yield Text(f"{self.outcome}: {_short(letter)}  {letter.region}  {letter.what}")
        for letter, why in self.kept:
            yield Text(f"still there: {_short(letter)}  {letter.region}  {letter.what}: {why}", style="yellow")
        yield from _failures(self.failed)
        if not (self.done or self.kept or self.failed):
            yield Text("No dead letters.", style="green")
        elif self.done and self.outcome == "sent back":
            yield Text("Those that fail again are back in a minute: ringfence dead-letters", style="dim")


def _row(letter: DeadLetter, now: float) -> Iterator[Text]:
    yield Text(_short(letter), style="bold")
    yield Text(f"{times.age(now - letter.sent_at)} ago", style="dim")
    yield Text(letter.what)
    yield Text(letter.why, style="red")


def _failures(failed: Mapping[Region, str]) -> Iterator[Text]:
    for region, reason in failed.items():
        yield Text.assemble((region, "bold"), "  ", (f"not read: {reason}", "red"))
