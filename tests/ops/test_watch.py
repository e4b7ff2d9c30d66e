"""`ringfence status --watch` in a real terminal of 80 columns and 24 lines, and as a stream, on a lab."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import pexpect
import pyte
import pytest

from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.ops.changes_in_lab import foreign_rule, schedules_stopped
from tests.ops.commands import COMMAND, Shell, schema_of

PATIENCE = 60.0
"""Seconds."""


@dataclass(slots=True)
class Terminal:
    """A terminal with a running command, and what it shows."""

    process: "pexpect.spawn[bytes]"
    screen: Any
    received: bytearray = field(default_factory=bytearray)

    def shows(self, text: str) -> bool:
        """Waits until the screen shows the text."""
        return self._until(lambda: any(text in line for line in self.lines))

    def shows_first(self, text: str) -> bool:
        """Waits until the first line has the text."""
        return self._until(lambda: text in self.lines[0])

    def ends(self) -> int | None:
        """Waits for the end. Returns the exit code."""
        self._until(lambda: not self.process.isalive())
        self._read(0.5)
        self.process.close()
        return self.process.exitstatus

    @property
    def lines(self) -> list[str]:
        """What the screen shows."""
        return [line.rstrip() for line in self.screen.display]

    def _until(self, holds: Any) -> bool:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                return False
            self._read(0.2)
        return True

    def _read(self, seconds: float) -> None:
        try:
            data = self.process.read_nonblocking(1 << 16, timeout=seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return
        self.received += data
        pyte.ByteStream(self.screen).feed(data)


def regions_of(lines: list[str]) -> list[str]:
    """The Regions that have a line, in the order of the lines."""
    return [line.split()[0] for line in lines if line.startswith((EAST, WEST))]


@contextmanager
def watching(operator: Shell, *arguments: str, lines: int = 24) -> Iterator[Terminal]:
    environment = {**operator.environment, "TERM": "xterm-256color"}
    process: pexpect.spawn[bytes] = pexpect.spawn(
        COMMAND,
        ["status", "--watch", *arguments],
        cwd=str(operator.directory),
        env=environment,
        dimensions=(lines, 80),
    )
    try:
        yield Terminal(process, pyte.Screen(80, lines))
    finally:
        process.close(force=True)


def test_the_screen_has_the_worst_region_first_and_stays_when_the_operator_quits(
    two_regions: Cluster, operator: Shell
) -> None:
    # given a missing rule in the last Region
    with schedules_stopped(two_regions):
        west = two_regions.regions[WEST]
        rule = west.rules()[0]
        west.client("ec2").revoke_security_group_ingress(
            GroupId=west.security_group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
        )
        try:
            # when
            with watching(operator) as terminal:
                assert terminal.shows("1 rule to add"), terminal.lines
                shown = terminal.lines
                terminal.process.send(b"q")
                code = terminal.ends()
        finally:
            two_regions.settle()
    # then it is one screen
    assert shown[0].startswith("demo  2 Regions  ")
    assert shown[1].split() == ["Region", "members", "rules", "free", "reconciled", "state"]
    assert regions_of(shown) == [WEST, EAST]
    assert shown[3].split() == ["drift", "1", "rule", "to", "add"]
    assert shown[-1] == "q quit"
    # and its lines are there after the end
    assert code == 2
    left = [line for line in terminal.lines if line]
    assert left[0].startswith("demo  2 Regions  ")
    assert regions_of(left) == [WEST, EAST]
    assert b"\x1b[?1049h" in terminal.received
    assert b"\x1b[?1049l" in terminal.received
    assert b"\x1b[?25h" in terminal.received


def test_a_screen_that_is_too_small_scrolls(operator: Shell) -> None:
    with watching(operator, lines=4) as terminal:
        assert terminal.shows("lines 1-3 of 4"), terminal.lines
        assert terminal.lines[0].startswith("demo")
        terminal.process.send(b"\x1b[B")
        assert terminal.shows_first("Region"), terminal.lines
        terminal.process.send(b"g")
        assert terminal.shows_first("demo")
        terminal.process.send(b"G")
        assert terminal.shows("lines 2-4 of 4")
        terminal.process.send(b"q")
        assert terminal.ends() == 0


def test_a_region_that_does_not_answer_does_not_end_the_screen(two_regions: Cluster, operator: Shell) -> None:
    with watching(operator) as terminal:
        assert terminal.shows("all in sync"), terminal.lines
        for fault in (EAST, WEST):
            two_regions.lab.fault(fault, "hang")
        try:
            assert terminal.shows("not read since: no Region answers"), terminal.lines
        finally:
            two_regions.lab.heal()
        assert terminal.shows("all in sync"), terminal.lines
        started = time.monotonic()
        terminal.process.send(b"q")
        assert terminal.ends() == 0
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_terminal_is_as_before_after_a_signal(operator: Shell, number: signal.Signals, code: int) -> None:
    with watching(operator) as terminal:
        assert terminal.shows("all in sync"), terminal.lines
        terminal.process.kill(number)
        assert terminal.ends() == code
    assert b"\x1b[?1049l" in terminal.received
    assert b"Traceback" not in terminal.received


def test_a_stream_has_one_document_on_each_line(operator: Shell) -> None:
    process = subprocess.Popen(
        [COMMAND, "status", "--watch", "--json", WEST],
        cwd=operator.directory,
        env=dict(operator.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    documents = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (130, "")
    for document in documents:
        jsonschema.validate(document, schema_of(document))
        assert [region["region"] for region in document["regions"]] == [WEST]
    assert documents[0]["at"] < documents[1]["at"]


def test_one_region_is_shown_alone(two_regions: Cluster, operator: Shell) -> None:
    # given a Region that hangs, and is not asked for
    two_regions.lab.fault(EAST, "hang")
    try:
        west, east = operator.run("status", WEST), operator.run("status", EAST)
    finally:
        two_regions.lab.heal()
    assert (west.code, east.code) == (0, 1)
    assert EAST not in "".join(line for line in west.output.splitlines() if not line.startswith(" "))
    assert f"{EAST}  unknown" in east.output
    assert "unreachable: " in east.output
    assert WEST not in east.output


def test_a_true_up_by_hand_is_named_in_status_and_history(two_regions: Cluster, operator: Shell) -> None:
    with schedules_stopped(two_regions):
        west = two_regions.regions[WEST]
        rule = west.rules()[0]
        west.client("ec2").revoke_security_group_ingress(
            GroupId=west.security_group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
        )
        # when
        assert "1 added" in operator.run("sync", WEST).output
        status, history = operator.run("status", WEST), operator.run("history", "--since", "5m")
    # then
    assert "ago, by hand (root)" in status.output
    line = [line for line in history.output.splitlines() if "put back" in line][-1]
    assert line.endswith("hand (root)")


def test_the_rule_of_the_group_itself_is_not_foreign(two_regions: Cluster, operator: Shell) -> None:
    with foreign_rule(two_regions, EAST, "203.0.113.77"):
        (group,) = operator.document("status", EAST)["regions"][0]["security_groups"]
    assert (group["foreign"], group["itself"]) == (1, 1)
    assert group["free"] == group["quota"] - group["owned"] - 2
