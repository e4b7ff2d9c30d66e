"""What a function answers to a true-up: read whatever it is."""

import json
from io import BytesIO
from typing import Any

import pytest

from ringfence.core.events import TrueUp, parse
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.logs.audit_log import by_hand
from ringfence_ops.state.true_up import RuleCounts, TrueUpResult, true_up_by_function

STRANGE: list[Any] = [
    None, True, 7, -3, 1.5, 1e400, float("nan"), 10**400, "", "many", "x" * 70_000, [], [1], {}, {"rules": 7}, [[]],
]  # fmt: skip


class Function:
    """Lambda's client, of which the function answers with a payload."""

    def __init__(self, payload: bytes, **response: str) -> None:
        self.payload, self.response = payload, response
        self.asked: list[dict[str, Any]] = []

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012", "Arn": "arn:aws:sts::123456789012:assumed-role/Admin/alice@example.com"}

    def invoke(self, **arguments: str) -> dict[str, Any]:
        self.asked.append(json.loads(arguments.get("Payload", "{}")))
        return {"Payload": BytesIO(self.payload), **self.response}


class Answering(Aws):
    """An AWS with that function."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self._function = function

    def client(self, _service: str, _region: Region, *, patient: bool = False) -> Any:  # noqa: ARG002  # as its base
        return self._function


def answered(payload: bytes | object, **response: str) -> TrueUpResult:
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return true_up_by_function(Answering(Function(content, **response)), "demo", Region("us-east-1"))


def test_the_counts_and_the_problems_are_read() -> None:
    held = [{"rules": ["sgr-1", "sgr-2"]}, {"rules": ["sgr-3"]}]
    result = answered({"added": 1, "removed": 2, "relabelled": 3, "held": held, "refused": 4, "problems": ["p"]})
    assert result.counts == RuleCounts(1, 2, 3, 3, 4)
    assert (result.problems, result.failure) == (("p",), None)


@pytest.mark.parametrize("name", ["added", "removed", "relabelled", "held", "refused", "problems"])
def test_a_field_of_another_type_does_not_count(name: str) -> None:
    for strange in STRANGE:
        result = answered({"added": 1, name: strange})
        assert result.failure is None
        assert all(0 <= count < 10**9 for count in (result.counts.added, result.counts.held, result.counts.refused))
        assert all(isinstance(problem, str) for problem in result.problems)


@pytest.mark.parametrize(
    "payload",
    [b"{", b"\xff", b"[" * 100_000, b"[]", b"7", b'"x"'],
    ids=lambda payload: ascii(payload[:4]),
)
def test_an_answer_that_is_no_summary_is_a_failure(payload: bytes) -> None:
    assert answered(payload).failure == "the function's answer is not a summary of a true-up"


@pytest.mark.parametrize("error", [*STRANGE, {"errorMessage": {"a": []}}, {"errorMessage": "no"}])
def test_an_error_of_the_function_is_a_failure(error: Any) -> None:
    failure = answered(error, FunctionError="Unhandled").failure
    assert isinstance(failure, str)
    assert failure


def test_a_true_up_names_who_runs_it_and_the_engine_takes_the_name() -> None:
    # when
    function = Function(b"{}")
    true_up_by_function(Answering(function), "demo", Region("us-east-1"))
    # then
    _, asked = function.asked
    assert asked == {"trueup": True, "id": "hand:alice@example.com"}
    assert parse(asked, "fallback") == TrueUp("hand:alice@example.com")


@pytest.mark.parametrize(
    ("arn", "id"),
    [
        ("arn:aws:iam::123456789012:root", "hand:root"),
        ("arn:aws:iam::123456789012:user/team/alice", "hand:alice"),
        ("arn:aws:sts::123456789012:federated-user/Zoë B", "hand:Zo_B"),
        (f"arn:aws:iam::123456789012:user/{'a' * 64}", f"hand:{'a' * 59}"),
    ],
)
def test_the_id_of_a_true_up_by_hand_is_one_that_the_engine_takes(arn: str, id: str) -> None:
    assert by_hand(arn) == id
    assert parse({"trueup": True, "id": id}, "fallback") == TrueUp(id)
