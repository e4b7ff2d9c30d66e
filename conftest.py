"""How the tests are spread over processes, and the signals that they start with."""

import signal
from pathlib import Path

import pytest

TESTS = Path(__file__).parent / "tests"
SPREAD = (TESTS / "simulator", TESTS / "fuzz")


def pytest_configure() -> None:
    """Lets Ctrl-C work in the commands that tests start, even if what started pytest ignores it, as nohup does."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups the tests of a file, for `--dist loadgroup`: they share a lab, and some build on those before them.

    Tests of the simulator and the fuzzing share nothing. They stay without a group, so that the long ones run on all
    cores.
    """
    for item in items:
        if not any(item.path.is_relative_to(folder) for folder in SPREAD):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
