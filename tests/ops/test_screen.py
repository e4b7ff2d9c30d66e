"""What a screen shows and what a pipe gets: windows, keys, short ids, the order of addresses, no padding."""

from contextlib import redirect_stdout
from io import StringIO

import pytest
from rich.padding import Padding

from ringfence.core.audit_events import RuleAdded, RuleRemoved
from ringfence.core.model.addresses import Cidr, in_order
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.rules import Opening
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.screen import END, LINE_DOWN, LINE_UP, PAGE_DOWN, PAGE_UP, QUIT, TOP, Window, keys
from ringfence_ops.cli.terminal import Output
from ringfence_ops.cli.text import Text
from ringfence_ops.commands.history import cause
from ringfence_ops.commands.plan import PlanReport
from ringfence_ops.commands.status_watch import short
from ringfence_ops.state.changes import changes
from ringfence_ops.state.dry_run import DryRunResult
from ringfence_ops.state.snapshot import Snapshot
from tests.unit.builders import CLUSTER, EAST, GROUP, NOW, TCP, label


def piped(report: object) -> str:
    """What the report prints where there is no terminal."""
    output = StringIO()
    with redirect_stdout(output):
        Output().show_report(report)  # type: ignore[arg-type]  # of several types
    return output.getvalue()


# A pipe.


def test_a_pipe_gets_whole_lines_without_padding() -> None:
    long = "x" * 3000
    rows = [[Text("a"), Text("bb"), Text(long)], [Text("aaa"), Text("b"), Text("short")]]
    assert piped(Padding(columns(rows, 2), (0, 0, 1, 2))) == f"  a    bb  {long}\n  aaa  b   short\n\n"


@pytest.mark.parametrize("variable", ["COLUMNS", "FORCE_COLOR"])
def test_no_variable_wraps_or_pads_what_a_pipe_gets(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "20")
    rows = [[Text("a", style="red"), Text("x " * 50, style="dim")], [Text("aaa"), Text("short", style="dim")]]
    lines = piped(columns(rows, 1)).splitlines()
    assert len(lines) == 2
    assert not any(line.removesuffix("\x1b[0m").endswith(" ") for line in lines)


def test_columns_have_headers() -> None:
    rows = [[Text("1"), Text("x")]]
    assert piped(columns(rows, 1, ("number", "letter"))) == "number  letter\n1       x\n"
    assert piped(columns(rows, 1)) == "1  x\n"


# The order of addresses.


def test_addresses_sort_as_addresses() -> None:
    texts = [
        "no address",
        "2001:db8::a/128",
        "10.0.0.10/32",
        "2001:db8::9/128",
        "9.0.0.1/32",
        "10.0.0.9/32",
        "10.0.0.0/8",
    ]
    assert sorted(texts, key=in_order) == [
        "9.0.0.1/32",
        "10.0.0.0/8",
        "10.0.0.9/32",
        "10.0.0.10/32",
        "2001:db8::9/128",
        "2001:db8::a/128",
        "no address",
    ]


def test_a_plan_is_in_the_order_of_addresses_and_says_how_many_rules() -> None:
    # given
    added = [
        RuleAdded(EAST, GROUP, RuleId(f"sgr-{host}"), Opening(TCP, Cidr(f"198.18.0.{host}/32")), label(), drift=True)
        for host in (10, 9, 100)
    ]
    gone = RuleRemoved(
        EAST, GROUP, RuleId("sgr-1"), Opening(TCP, Cidr("198.18.0.1/32")), label(), "departed", 3.0, drift=False
    )
    # when
    planned = changes(CLUSTER, [*added, gone], {})
    result = DryRunResult((*added, gone), failure=None)
    shown = piped(PlanReport(Snapshot(CLUSTER, NOW, {}, {}, {EAST: result}, {}), []))
    # then
    hosts = [change.opening.cidr.split(".")[3] for change in planned if change.opening is not None]
    assert hosts == ["9/32", "10/32", "100/32", "1/32"]
    assert "3 rules to add, 1 to remove\n" in shown
    assert "address" in shown.splitlines()[1]


# The cause of a reconcile.


@pytest.mark.parametrize(
    ("causes", "said"),
    [
        (["hand:alice"], "hand (alice)"),
        (["schedule 2026-11-23T15:00:00Z", "hand:alice"], "hand (alice) and 1 more"),
        (["schedule 2026-11-23T15:00:00Z"], "schedule"),
        (["deployment 3c700f87-f331-497b-9bbc-c6b9d6105fcb"], "deployment"),
        (["3c700f87-f331-497b-9bbc-c6b9d6105fcb"], "event 3c700f87"),
        ([], "an unknown cause"),
    ],
)
def test_the_cause_of_a_reconcile_says_who_ran_it(causes: list[str], said: str) -> None:
    assert cause(causes) == said


# A screen.


def test_keys_are_read_one_by_one() -> None:
    assert keys(b"j\x1b[B\x1bOB\r") == [LINE_DOWN] * 4
    assert keys(b"k\x1b[A") == [LINE_UP] * 2
    assert keys(b" \x1b[6~b\x1b[5~gG") == [PAGE_DOWN, PAGE_DOWN, PAGE_UP, PAGE_UP, TOP, END]
    assert keys(b"x\x1b[3~\x1b[1;5Cq") == [QUIT]


def test_a_window_stays_within_its_lines() -> None:
    window = Window(height=10, lines=25)
    for key, top in ((LINE_UP, 0), (LINE_DOWN, 1), (PAGE_DOWN, 10), (PAGE_DOWN, 15), (PAGE_UP, 6), (END, 15), (TOP, 0)):
        window.scroll(key)
        assert window.top == top
    assert window.position.startswith("lines 1-10 of 25")
    # when there are fewer lines
    window.scroll(END)
    window.lines = 12
    window.fit()
    assert window.top == 2
    window.lines = 3
    window.fit()
    assert (window.top, window.position) == (0, "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("i-0123456789abcdef0 of sg-0123456789abcdef0", "i-01234567… of sg-01234567…"),
        ("event 3c700f87-f331-497b-9bbc-c6b9d6105fcb", "event 3c700f87…"),
        ("demo-prerequisites-AutoScalingGroup-0E17C7CC05662: x", "demo-prerequisites-A…7CC05662: x"),
        ("us-west-2 may still admit 203.0.113.7", "us-west-2 may still admit 203.0.113.7"),
        ("i-01234567", "i-01234567"),
    ],
)
def test_ids_are_short_on_a_screen(text: str, shown: str) -> None:
    assert short(Text(text)).plain == shown


def test_short_text_keeps_its_styles() -> None:
    text = short(Text.assemble(("i-0123456789abcdef0", "red"), " and ", ("more", "bold"), style="yellow"))
    assert text.style == "yellow"
    assert [(text.plain[span.start : span.end], span.style) for span in text.spans if span.style == "bold"] == [
        ("more", "bold")
    ]
