"""A Region of version 0.1 in an upgrade works, and is waiting for the upgrade: it does not fail."""

import re
from dataclasses import replace
from typing import Any

from ringfence.core.configuration.setting_table import TABLE
from ringfence_ops.cloudformation.artefact import PROJECT
from ringfence_ops.doctor.finding import Severity
from ringfence_ops.state.alarms import ALARMS
from ringfence_ops.state.path import DeployedStack, Expected, Grant
from ringfence_ops.state.path_reasons import path_reasons
from ringfence_ops.state.standing import Reason, State
from ringfence_ops.state.version_0_1 import ACTIONS_ADDED, ALARMS_ADDED, HANDLER, PARAMETERS_ADDED
from tests.interop import frozen
from tests.ops.facts import EXPECTED, facts, findings_of
from tests.ops.paths import ALARMS as EXISTING
from tests.ops.paths import FUNCTION, PARAMETERS, path
from tests.unit.builders import EAST, WEST

OLD = frozen.files()["template.yaml"].decode()
NEW = (PROJECT / "template.yaml").read_text()
WANTED = Expected(EXPECTED.settings, PARAMETERS | dict.fromkeys(PARAMETERS_ADDED, "new"))
DENIED = {(action, WEST): Grant.DENIED for action in ACTIONS_ADDED}


def reasons(**changes: Any) -> list[Reason]:
    old = {"function": replace(FUNCTION, handler=HANDLER), "engine_grants": DENIED}
    return list(path_reasons(path(**old | changes), WANTED))


def test_what_version_0_1_lacks_is_what_its_template_lacks() -> None:
    parameters, actions = r"^  (\w+):\n    Type: ", r"\b(?:autoscaling|dynamodb|ec2|sqs):[A-Z]\w+"
    alarms = {alarm for alarm in ALARMS if f"-{alarm}" in NEW and f"-{alarm}" not in OLD}

    added = set(re.findall(parameters, NEW, re.M)) - set(re.findall(parameters, OLD, re.M))
    assert added & {setting.parameter_name for setting in TABLE} == PARAMETERS_ADDED
    assert set(re.findall(actions, NEW)) - set(re.findall(actions, OLD)) - {"dynamodb:LeadingKeys"} == ACTIONS_ADDED
    assert alarms == ALARMS_ADDED
    assert f"Handler: {HANDLER}" in OLD


def test_it_waits_for_the_upgrade() -> None:
    (reason,) = reasons()

    assert (reason.state, reason.fix) == (State.WAITING, f"ringfence deploy {EAST}")
    assert "version 0.1" in reason.why


def test_its_own_breakages_are_still_said() -> None:
    changed = DeployedStack("CREATE_COMPLETE", PARAMETERS | {"Ports": "tcp/1"})
    denied = DENIED | {("dynamodb:Query", WEST): Grant.DENIED}

    found = {reason.why for reason in reasons(stack=changed, engine_grants=denied) if reason.state is State.FAILING}

    assert found == {"Ports is 'tcp/1', the cluster file says 'auto'", "the engine may not dynamodb:Query in us-west-2"}


def test_a_later_version_needs_what_was_added() -> None:
    found = {reason.state for reason in reasons(function=FUNCTION)}

    assert found == {State.FAILING}


def test_doctor_misses_no_alarm_that_version_0_1_never_had() -> None:
    names = {f"ringfence-demo-{alarm}" for alarm in ALARMS_ADDED}
    alarms = tuple(alarm for name, alarm in EXISTING.items() if name not in names)

    of_0_1 = findings_of(facts(alarms=alarms, function=replace(FUNCTION, handler=HANDLER)))
    of_ours = findings_of(facts(alarms=alarms))

    assert not [finding for finding in of_0_1 if finding.severity is Severity.PROBLEM]
    assert [finding.check for finding in of_ours if finding.severity is Severity.PROBLEM] == ["alarms"]
