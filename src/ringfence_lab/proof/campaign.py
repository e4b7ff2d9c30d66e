"""Plays many histories, each from its own seed, in several processes, and counts what they covered.

A campaign is a range of seeds. It can be stopped and continued: a checkpoint file keeps the finished slices. It must
not know how a history is shown or shortened.
"""

import gc
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from enum import Enum
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ringfence
import ringfence_lab.sim
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.sim.engine.function import Reconcile
from ringfence_lab.sim.simulation import simulate

SLICE = 250
"""Histories that a process plays before it returns their tally."""
COLLECT_EVERY = 50
"""Histories between two garbage collections. All objects of a history end together, so more collections cost time."""

NOT_PLAYED = frozenset(
    {
        "core/configuration/relations.py",
        "core/deployment.py",
        *(
            f"runtime/{name}.py"
            for name in ("announcement", "config", "custom_resource", "entry", "handler", "log_fields", "telemetry")
        ),
        *(
            f"aws/{name}.py"
            for name in (
                "assembly",
                "auto_scaling",
                "clients",
                "dynamodb",
                "ec2",
                "error_codes",
                "presigned_url",
                "sqs",
            )
        ),
    }
)
"""The parts of the engine that the simulator replaces, and those that a deployment runs."""


class FailureKind(Enum):
    """What went wrong in a history, the gravest first."""

    SAFETY = "safety"  # something bad happened
    CRASH = "crash"  # an unexpected error was raised
    LIVENESS = "liveness"  # something good did not happen in time, such as convergence


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed history. `what` begins with the name of the property."""

    seed: int
    kind: FailureKind
    what: str


@dataclass(slots=True)
class Tally:
    """The results of the histories from the seed `first` on. `seconds` is processor time."""

    first: int
    histories: int = 0
    steps: int = 0
    seconds: float = 0.0
    coverage: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, tally: "Tally") -> None:
        """Adds the results of more seeds."""
        self.histories += tally.histories
        self.steps += tally.steps
        self.seconds += tally.seconds
        self.coverage += tally.coverage
        self.failures += tally.failures

    @property
    def per_second(self) -> float:
        """Histories per second, on one core."""
        return self.histories / self.seconds if self.seconds else 0.0

    def worst(self) -> FailureKind | None:
        """The gravest kind of failure."""
        kinds = {failure.kind for failure in self.failures}
        return next((kind for kind in FailureKind if kind in kinds), None)


def play(first: int, count: int, engine: Reconcile = reconcile) -> Tally:
    """Plays the histories of `count` seeds in this process."""
    tally, started = Tally(first), time.process_time()
    collects = gc.isenabled()
    gc.disable()
    gc.collect()
    gc.freeze()  # existing objects are no garbage: later collections can skip them
    try:
        for seed in range(first, first + count):
            _play_one(seed, engine, tally)
            if seed % COLLECT_EVERY == 0:
                gc.collect()
    finally:
        gc.unfreeze()
        if collects:
            gc.enable()
    tally.seconds = time.process_time() - started
    return tally


def _play_one(seed: int, engine: Reconcile, tally: Tally) -> None:
    tally.histories += 1
    try:
        result = simulate(seed, engine)
    except Exception as error:  # noqa: BLE001  # after any error, its seed is needed
        tally.failures.append(Failure(seed, FailureKind.CRASH, f"{type(error).__name__}: {error}"))
        return
    tally.steps += result.steps
    tally.coverage += result.coverage
    if result.violation is not None:
        tally.failures.append(Failure(seed, FailureKind(result.phase), str(result.violation)))


def campaign(
    first: int, histories: int, processes: int, *, keep_going: bool = False, engine: Reconcile = reconcile
) -> Iterator[Tally]:
    """Plays the histories and yields the tally of each slice when it is done, in any order.

    Ends after the first slice with a failure, unless `keep_going`.
    """
    starts = range(first, first + histories, SLICE)
    slices = ((start, min(SLICE, first + histories - start)) for start in starts)
    if processes == 1:
        for start, count in slices:
            tally = play(start, count, engine)
            yield tally
            if tally.failures and not keep_going:
                return
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        pending = {pool.submit(play, start, count, engine) for start, count in islice(slices, 2 * processes)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                tally = future.result()
                yield tally
                if tally.failures and not keep_going:
                    pool.shutdown(cancel_futures=True)
                    return
            pending |= {pool.submit(play, start, count, engine) for start, count in islice(slices, len(done))}


class OtherCampaign(Exception):
    """The checkpoint file holds another campaign, or none."""


@dataclass(slots=True)
class Checkpoint:
    """A campaign that can be continued: its seeds, the finished slices, and the version of the code."""

    first: int
    histories: int
    code: str
    done: list[int] = field(default_factory=list)
    seconds_waited: float = 0.0
    tally: Tally = field(default_factory=lambda: Tally(0))

    @classmethod
    def open(cls, path: Path, first: int, histories: int) -> "Checkpoint":
        """The campaign in the file, or a new one. Raises OtherCampaign."""
        if not path.exists():
            return cls(first, histories, code_version(), tally=Tally(first))
        try:
            found = cls._kept(json.loads(path.read_text()))
        except (KeyError, TypeError, ValueError) as error:
            raise OtherCampaign(f"{path} holds no campaign: {error!r}") from error
        for name, asked in (("first", first), ("histories", histories), ("code", code_version())):
            if getattr(found, name) != asked:
                raise OtherCampaign(f"{path} holds a campaign with {name} {getattr(found, name)}, not {asked}")
        return found

    @classmethod
    def _kept(cls, kept: dict[str, Any]) -> "Checkpoint":
        tally = kept.pop("tally")
        tally["coverage"] = Counter(tally["coverage"])
        tally["failures"] = [
            Failure(failure["seed"], FailureKind(failure["kind"]), failure["what"]) for failure in tally["failures"]
        ]
        return cls(**kept, tally=Tally(**tally))

    def save(self, path: Path) -> None:
        """Writes the file atomically."""
        draft = path.with_suffix(".draft")
        kept = asdict(self)
        kept["tally"]["coverage"] = dict(self.tally.coverage)
        draft.write_text(json.dumps(kept, default=lambda kind: kind.value))
        draft.replace(path)

    def play(self, processes: int, path: Path) -> Iterator[Tally]:
        """Plays the remaining slices, saves each one when it is done, and yields its tally."""
        missing = [at for at in range(self.first, self.first + self.histories, SLICE) if at not in set(self.done)]
        spans = chain.from_iterable(
            campaign(start, min(stop, self.first + self.histories) - start, processes, keep_going=True)
            for start, stop in _spans(missing)
        )
        began = time.monotonic()
        for tally in spans:
            self.done.append(tally.first)
            self.tally.add(tally)
            now = time.monotonic()
            self.seconds_waited, began = self.seconds_waited + now - began, now
            self.save(path)
            yield tally


def _spans(starts: list[int]) -> Iterator[tuple[int, int]]:
    """The slices' starts as ranges of seeds without gaps."""
    begin = previous = None
    for start in starts:
        if begin is None or previous is None:
            begin = start
        elif start != previous + SLICE:
            yield begin, previous + SLICE
            begin = start
        previous = start
    if begin is not None and previous is not None:
        yield begin, previous + SLICE


def code_version() -> str:
    """Twelve hexadecimal digits that identify the code that a history runs: the source of the engine and of the
    simulator, without the adapters to AWS and to Lambda, which the simulator replaces."""
    digest = hashlib.sha256()
    for package in (ringfence, ringfence_lab.sim):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if package is ringfence and name in NOT_PLAYED:
                continue
            digest.update(f"{name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
