"""Thousands of histories hold, from fixed seeds and random ones. A campaign counts, saves and shows its results."""

import json
import re
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import ringfence
from ringfence.core.configuration.settings import Settings
from ringfence.core.events import Event
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.commands.sim import (
    EXIT_CODES,
    SEEDS,
    CampaignOptions,
    command,
    failure_lines,
    prove,
    section,
)
from ringfence_lab.proof.campaign import NOT_PLAYED, Checkpoint, FailureKind, OtherCampaign, Tally, campaign, play
from ringfence_lab.proof.coverage import counts, happenings, shown
from ringfence_lab.proof.shorten import from_ranges, ranges, replay, shortened
from ringfence_lab.sim.engine.function import Reconcile

RINGFENCE = str(Path(sys.executable).with_name("ringfence"))

COUNTED, FIXED, RANDOM, PER_TEST = 4_000, 10_000, 1_000, 500
"""Histories whose calls are counted, all from fixed seeds, from random ones, and in one test: small tests spread over
the workers."""


def _hold(first: int) -> None:
    tally = play(first, PER_TEST)
    assert not tally.failures, "\n".join(failure_lines(tally.failures[0]))
    assert tally.histories == PER_TEST


@pytest.mark.parametrize("first", range(COUNTED, FIXED, PER_TEST))
def test_every_property_holds_for_the_engine(first: int) -> None:
    _hold(first)


@pytest.mark.parametrize("_part", range(0, RANDOM, PER_TEST))
def test_every_property_holds_for_the_engine_in_new_histories(_part: int) -> None:
    _hold(secrets.randbelow(SEEDS))


def test_every_call_meets_faults_and_every_other_happening_occurs() -> None:
    # given
    tally = play(0, COUNTED)
    # then every property holds
    assert not tally.failures, "\n".join(failure_lines(tally.failures[0]))
    # and every call was made, and failed
    # no history has a rule with a prefix list
    assert [operation for operation, row in counts(tally.coverage) if not row[0]] == ["DescribeManagedPrefixLists"]
    reads = ("DescribeAutoScalingGroups", "DescribeInstances", "DescribeSecurityGroupRules", "Scan", "Query", "PutItem")
    assert [(name, row) for name, row in counts(tally.coverage) if name in reads and 0 in row] == []
    assert [name for name, count in happenings(tally.coverage) if not count] == []


# Engines with a defect.


def does_nothing(_events: Sequence[Event], _world: Services, _settings: Settings) -> None:
    """Changes nothing."""


def breaks(_events: Sequence[Event], _world: Services, _settings: Settings) -> None:
    """Raises an error that no engine may raise."""
    raise ZeroDivisionError("on purpose")


def revokes_everything(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Reconciles, then revokes every rule at home."""
    reconcile(events, services, settings)
    port = services.regions[settings.region].security_groups
    for group, rules in port.rules(settings.security_groups).items():
        if rules:
            port.revoke(group, [rule.id for rule in rules])


@pytest.mark.parametrize(
    ("engine", "seed", "kind", "code"),
    [
        (does_nothing, 0, FailureKind.LIVENESS, 72),
        (revokes_everything, 1, FailureKind.SAFETY, 71),
        (breaks, 0, FailureKind.CRASH, 70),
    ],
)
def test_a_failure_is_shown_with_its_kind_its_command_and_a_short_history(
    engine: Reconcile, seed: int, kind: FailureKind, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    # when
    exit_code = prove(CampaignOptions(histories=40, processes=1, seed=seed), engine)
    # then
    output = capsys.readouterr().out
    assert exit_code == code == EXIT_CODES[kind]
    assert f", {kind.value}: " in output
    again = re.search(
        r"shortened: ringfence lab sim --replay (\d+)(?: --without (\S+))?  \((\d+) of (\d+) steps\)", output
    )
    assert again is not None
    failed, without, kept, steps = again.groups()
    assert int(kept) <= int(steps)
    # and the command shows the same failure again
    found = replay(int(failed), from_ranges(without or ""), engine)
    assert found.failure is not None
    assert found.failure.kind is kind
    assert found.trace[-1] in output


def test_a_shortened_history_needs_all_of_its_steps() -> None:
    # given
    whole = replay(2, engine=revokes_everything)
    # when
    without = shortened(2, revokes_everything)
    # then
    kept = frozenset(range(whole.steps)) - without
    assert replay(2, without, revokes_everything).reason == whole.reason
    for step in kept:
        assert replay(2, without | {step}, revokes_everything).reason != whole.reason


def test_a_history_without_a_failure_cannot_be_shortened() -> None:
    with pytest.raises(ValueError, match="the history of seed 2 does not fail"):
        shortened(2)


def test_a_campaign_ends_at_its_first_failure_unless_it_keeps_going() -> None:
    assert len(list(campaign(0, 1000, 1, engine=does_nothing))) == 1
    assert len(list(campaign(0, 1000, 1, keep_going=True, engine=does_nothing))) == 4


def test_several_processes_count_the_same_as_one() -> None:
    # when
    single, double = Tally(0), Tally(0)
    for tally in campaign(0, 600, 1):
        single.add(tally)
    for tally in campaign(0, 600, 2):
        double.add(tally)
    # then
    assert (double.histories, double.steps, double.coverage) == (single.histories, single.steps, single.coverage)


# Checkpoints.


def test_an_interrupted_campaign_continues_where_it_ended(tmp_path: Path) -> None:
    # given a campaign that was interrupted after its first slice
    path = tmp_path / "campaign.json"
    for _ in zip(range(1), Checkpoint.open(path, 0, 600).play(1, path), strict=False):
        pass
    # when
    again = Checkpoint.open(path, 0, 600)
    missing = sum(tally.histories for tally in again.play(1, path))
    # then
    assert missing == 600 - 250
    whole = play(0, 600)
    assert (again.tally.histories, again.tally.coverage) == (600, whole.coverage)
    assert Checkpoint.open(path, 0, 600).tally.histories == 600


def test_a_file_of_another_campaign_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "campaign.json"
    Checkpoint.open(path, 0, 600).save(path)

    with pytest.raises(OtherCampaign, match="holds a campaign with histories 600, not 700"):
        Checkpoint.open(path, 0, 700)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"tally": 1}', '{"first": 0, "tally": {}}'])
def test_a_file_that_is_no_campaign_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "campaign.json"
    path.write_text(text)

    with pytest.raises(OtherCampaign, match="holds no campaign"):
        Checkpoint.open(path, 0, 600)


# The command.


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([RINGFENCE, "lab", "sim", *arguments], capture_output=True, text=True, check=False)


def test_the_command_counts_for_programs(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"

    done = _run("--histories", "60", "--seed", "7", "--processes", "2", "--json", "--write", str(document))

    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["first_seed"], found["histories"], found["failures"]) == (7, 60, [])
    assert "Seeds 7 to 66: **60 histories" in document.read_text()


def test_the_command_shows_one_history() -> None:
    done = _run("--replay", "3", "--without", "0-2")

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "all properties held"
    assert "everything heals" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--replay", "3", "--without", "soon"], "'soon' is not a list of steps such as 3,7-12"),
        (["--checkpoint", "x.json"], "a checkpoint requires --seed"),
        (["--histories", "0"], "greater than or equal to 1"),
    ],
)
def test_bad_input_gets_one_clear_message(arguments: list[str], message: str) -> None:
    done = _run(*arguments)

    assert done.returncode != 0
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("numbers", [set(), {0}, {0, 1, 2, 5}, {3, 7, 8, 9, 10, 11, 12}])
def test_step_ranges_round_trip(numbers: set[int]) -> None:
    assert from_ranges(ranges(numbers)) == numbers


def test_the_replay_command_names_the_omitted_steps() -> None:
    assert command(4711, frozenset({3, 7, 8, 9})) == "ringfence lab sim --replay 4711 --without 3,7-9"


def test_tables_show_a_zero_for_what_never_happened() -> None:
    assert len(list(shown({}))) == 2
    assert "| Scan | 0 |" in section(Tally(0), 1.0)


def test_the_code_version_covers_every_module_that_a_history_loads() -> None:
    code = (
        "import sys, ringfence_lab.sim.simulation;"
        "print(*(module.__file__ for name, module in sys.modules.items() if name.split('.')[0] == 'ringfence'))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()

    root = Path(str(ringfence.__file__)).parent
    every = {path.relative_to(root).as_posix() for path in root.rglob("*.py")}
    assert every - {Path(path).relative_to(root).as_posix() for path in loaded} == NOT_PLAYED
