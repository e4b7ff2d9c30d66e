"""No input raises an error that its parser does not document, takes long, or takes much memory.

`FUZZ_INPUTS` is the number of inputs. Each parser has its share of them.
"""

import os
import random
import resource
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Target

INPUTS = int(os.environ.get("FUZZ_INPUTS") or 100_000)
VARIANTS = 50
"""Inputs that are made of each input of Hypothesis."""

ROUND = 1_000
"""Maximum inputs of Hypothesis in one round. It keeps a tree of all inputs of a round."""

MEGABYTES = 300
"""Maximum growth of the process while it reads all inputs of a parser, however many they are."""


@pytest.fixture(autouse=True)
def function_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names that Powertools reads."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "fuzz")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Ringfence")


def check(target: Target, value: Any) -> None:
    """One input: it raises a documented error or none, in time. The best of three times counts."""
    allowed = target.seconds * (len(value) + 5 if isinstance(value, list) else 1)
    best = float("inf")
    for _ in range(3):
        began = time.thread_time()
        try:
            target.run(value)
        except target.errors as error:
            assert len(str(error)) < 1_000_000  # noqa: PT017  # most inputs raise no error
        except Exception as error:
            error.add_note(f"{target}: {ascii(value)[:2000]}")
            raise
        best = min(best, time.thread_time() - began)
        if best <= allowed:
            return
    raise AssertionError(f"{target} took {best:.3f} s for {ascii(value)[:2000]}")


@pytest.fixture
def bounded_memory() -> Iterator[None]:
    """Fails a test in which the process grows too much."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_inputs_that_once_failed(target: Target) -> None:
    for value in target.seeds:
        check(target, value)


@pytest.mark.timeout(0)
@pytest.mark.usefixtures("bounded_memory")
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_no_input_raises_an_undocumented_error(target: Target) -> None:
    examples = max(1, int(INPUTS * target.share) // VARIANTS)

    @settings(
        max_examples=min(examples, ROUND),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.bases, st.integers(0, 2**32))
    def run(base: Any, chance: int) -> None:
        for value in target.variants(base, VARIANTS, chance):
            check(target, value)

    first = 0 if settings().derandomize else random.getrandbits(64)
    for start in range(first, first + examples, ROUND):
        seed(start)(run)()
