"""The proofs as commands of `ringfence lab`: `sim`, `mutants`, `crashes`, `interleavings`.

Only arguments and their help. Each command imports its implementation when it is called, because the simulator takes
long to import.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

Write = Annotated[Path | None, typer.Option(help="Write the result into its section of this document.")]

_SIM_EXAMPLES = """\b
Examples:
  ringfence lab sim
  ringfence lab sim --histories 1000000 --seed 0 --checkpoint million.json
  ringfence lab sim --replay 4711 --without 3,7-12

\b
Exit code: 0 if all properties held; otherwise, by the gravest failure:
70 crash of the engine or the simulator, 71 safety, 72 liveness.
"""


def sim(
    *,
    histories: Annotated[int, typer.Option(min=1, help="Number of histories.")] = 10_000,
    seed: Annotated[int | None, typer.Option(min=0, help="First seed. Default: random.")] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Number of processes. Default: the number of cores.")
    ] = None,
    replay: Annotated[
        int | None, typer.Option(min=0, help="Replay the history of this seed and print its trace.")
    ] = None,
    without: Annotated[str, typer.Option(help="Steps to omit from the replayed history, such as 3,7-12.")] = "",
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Continue after a failure.")] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Save the progress to this file, and continue from it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only one JSON document at the end.")] = False,
    write: Write = None,
) -> None:
    """Play random histories of the real engine in a simulated cloud with faults, and check all properties."""
    from ringfence_lab.commands.sim import CampaignOptions, prove, show_again  # noqa: PLC0415  # see above
    from ringfence_lab.proof.campaign import OtherCampaign  # noqa: PLC0415  # see above
    from ringfence_lab.proof.shorten import from_ranges  # noqa: PLC0415  # see above

    if replay is not None:
        try:
            left_out = from_ranges(without)
        except ValueError as error:
            wrong = f"{without!r} is not a list of steps such as 3,7-12"
            raise typer.BadParameter(wrong, param_hint="--without") from error
        raise typer.Exit(show_again(replay, left_out))
    if checkpoint is not None and seed is None:
        raise typer.BadParameter("a checkpoint requires --seed", param_hint="--checkpoint")
    cores = processes or os.cpu_count() or 1
    options = CampaignOptions(
        histories, cores, seed=seed, keep_going=keep_going, checkpoint=checkpoint, as_json=as_json, write=write
    )
    try:
        raise typer.Exit(prove(options))
    except OtherCampaign as error:
        raise typer.BadParameter(str(error), param_hint="--checkpoint") from error


def mutants(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Mutants to try. Default: all.")
    ] = None,
    histories: Annotated[int | None, typer.Option(min=1, help="Maximum number of histories for each mutant.")] = None,
    write: Write = None,
) -> None:
    """Insert known defects into the engine: the proofs must catch each. Exit code 1 if one is not caught."""
    from ringfence_lab.proof.mutants.catalogue import BY_NAME  # noqa: PLC0415  # see above
    from ringfence_lab.proof.mutants.hunt import prove  # noqa: PLC0415  # see above
    from ringfence_lab.proof.mutants.trial import HISTORIES  # noqa: PLC0415  # see above

    for name in names or []:
        if name not in BY_NAME:
            raise typer.BadParameter(f"unknown mutant {name}: use one of {', '.join(BY_NAME)}")
    raise typer.Exit(prove(names or (), histories or HISTORIES, write))


def crashes(
    pairs: Annotated[bool, typer.Option("--pairs", help="Also kill the small scenarios twice.")] = False,
    write: Write = None,
) -> None:
    """Kill the engine before and after every call of every scenario. Exit code 1 if one does not converge."""
    from ringfence_lab.proof.crashes import prove  # noqa: PLC0415  # see above

    raise typer.Exit(prove(pairs=pairs, write=write))


def interleavings(
    all_: Annotated[bool, typer.Option("--all", help="Allow more preemptions in the large cases.")] = False,
    write: Write = None,
) -> None:
    """Explore every interleaving of two concurrent invocations. Exit code 1 if one is wrong."""
    from ringfence_lab.proof.interleavings import FEW, MANY, prove  # noqa: PLC0415  # see above

    raise typer.Exit(prove(MANY if all_ else FEW, write))


def mount(app: typer.Typer) -> None:
    """Adds the proofs to the commands of the lab."""
    app.command(epilog=_SIM_EXAMPLES)(sim)
    for proof in (mutants, crashes, interleavings):
        app.command()(proof)
