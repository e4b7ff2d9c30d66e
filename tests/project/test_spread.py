"""How pytest-xdist spreads the tests over processes: the tests of a file stay together, the simulator's do not."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def processes(*files: str) -> dict[str, set[str]]:
    """The processes that ran tests of each file."""
    command = [sys.executable, "-m", "pytest", "-n", "2", "-v", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    found = defaultdict(set)
    for process, file in re.findall(r"^\[(gw\d)\].* PASSED (\S+?\.py)::", done.stdout, re.MULTILINE):
        found[file].add(process)
    return found


def test_the_tests_of_a_file_run_in_one_process() -> None:
    files = ["tests/ops/test_times.py", "tests/unit/test_guard.py", "tests/unit/test_events.py"]
    found = processes(*files)
    assert found.keys() == set(files)
    assert all(len(ran) == 1 for ran in found.values())
    assert len(set.union(*found.values())) == 2


def test_the_tests_of_the_simulator_run_in_all_processes() -> None:
    file = "tests/simulator/test_mutant_edits.py"
    assert processes(file) == {file: {"gw0", "gw1"}}
