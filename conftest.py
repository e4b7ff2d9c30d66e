"""How pytest-xdist spreads the tests over processes, and the signals that tests start with."""

import signal
from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

SHARE_NOTHING = ("tests/fuzz/", "tests/interop/", "tests/simulator/")


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist ships no types
    """Runs the tests of a file in one process: they share a lab, and some build on those before them.

    The tests of the simulator and the fuzz tests share nothing. Each of them runs where a process is free, so that the
    long ones use all cores.
    """

    def _split_scope(self, nodeid: str) -> str:
        """The unit that a test belongs to. The documentation of pytest-xdist names this method for overriding."""
        return nodeid if nodeid.startswith(SHARE_NOTHING) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """Replaces the scheduler of every `--dist` mode."""
    return FileScheduling(config, log)


def pytest_configure() -> None:
    """Lets Ctrl-C work in the commands that tests start, even if what started pytest ignores it, as nohup does."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
