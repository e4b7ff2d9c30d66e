"""The proofs as commands of `ringfence lab`: `sim`, `mutants`, `crashes`, `interleavings`.

Only arguments and their help; each command imports its work when it is called, since the simulator takes a while.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

Write = Annotated[Path | None, typer.Option(help="The document whose section of this proof is written anew.")]

_SIM_EXAMPLES = """\b
Examples:
  ringfence lab sim
  ringfence lab sim --histories 1000000 --seed 0 --checkpoint million.json
  ringfence lab sim --replay 4711 --without 3,7-12

\b
Exit code 0 if every property held; else by the gravest failure:
70 the engine or the world crashed, 71 safety, 72 liveness.
"""


def sim(
    histories: Annotated[int, typer.Option(min=1, help="How many to play.")] = 10_000,
    seed: Annotated[int | None, typer.Option(min=0, help="The first seed; a fresh one if not given.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="At a time; as many as there are cores.")] = None,
    replay: Annotated[int | None, typer.Option(min=0, help="Play the one history of this seed and show it.")] = None,
    without: Annotated[str, typer.Option(help="Steps that the replayed history leaves out: 3,7-12.")] = "",
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Do not end at the first failure.")] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Keep what is done in this file, and go on from there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document at the end, and nothing else.")] = False,
    write: Write = None,
) -> None:
    """Plays histories of the real engine in a simulated cloud under faults, and checks every property at every step."""
    from ringfence_lab.commands.sim import Order, prove, show_again  # noqa: PLC0415  # see above
    from ringfence_lab.proof.campaign import OtherCampaign  # noqa: PLC0415  # see above
    from ringfence_lab.proof.shorten import from_ranges  # noqa: PLC0415  # see above

    if replay is not None:
        try:
            left_out = from_ranges(without)
        except ValueError as error:
            wrong = f"{without!r} is no list of steps such as 3,7-12"
            raise typer.BadParameter(wrong, param_hint="--without") from error
        raise typer.Exit(show_again(replay, left_out))
    if checkpoint is not None and seed is None:
        raise typer.BadParameter("a campaign with a checkpoint needs its --seed", param_hint="--checkpoint")
    cores = processes or os.cpu_count() or 1
    order = Order(histories, cores, seed, keep_going, checkpoint, as_json, write)
    try:
        raise typer.Exit(prove(order))
    except OtherCampaign as error:
        raise typer.BadParameter(str(error), param_hint="--checkpoint") from error


def mutants(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="All, if none is given.")] = None,
    histories: Annotated[int | None, typer.Option(min=1, help="At most so many for each.")] = None,
    write: Write = None,
) -> None:
    """Breaks the engine in every known way: the simulator must notice. Exit code 1 where it does not."""
    from ringfence_lab.proof.mutants.catalogue import BY_NAME  # noqa: PLC0415  # see above
    from ringfence_lab.proof.mutants.hunt import prove  # noqa: PLC0415  # see above
    from ringfence_lab.proof.mutants.trial import HISTORIES  # noqa: PLC0415  # see above

    for name in names or []:
        if name not in BY_NAME:
            raise typer.BadParameter(f"there is no mutant {name}: there are {', '.join(BY_NAME)}")
    raise typer.Exit(prove(names or (), histories or HISTORIES, write))


def crashes(
    pairs: Annotated[bool, typer.Option("--pairs", help="Kill the small scenarios twice as well.")] = False,
    write: Write = None,
) -> None:
    """Kills the engine before and after every call of every scenario. Exit code 1 where one does not converge."""
    from ringfence_lab.proof.crashes import prove  # noqa: PLC0415  # see above

    raise typer.Exit(prove(pairs, write))


def interleavings(
    all_: Annotated[bool, typer.Option("--all", help="With more preemptions in the large cases.")] = False,
    write: Write = None,
) -> None:
    """Explores every interleaving of two invocations at work at once. Exit code 1 where one is wrong."""
    from ringfence_lab.proof.interleavings import FEW, MANY, prove  # noqa: PLC0415  # see above

    raise typer.Exit(prove(MANY if all_ else FEW, write))


def mount(app: typer.Typer) -> None:
    """Adds the proofs to the commands of the lab."""
    app.command(epilog=_SIM_EXAMPLES)(sim)
    for proof in (mutants, crashes, interleavings):
        app.command()(proof)
