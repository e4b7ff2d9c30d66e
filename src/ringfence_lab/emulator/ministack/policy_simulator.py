"""IAM's policy simulator for roles, with every resource and the context of the request.

A patch of MiniStack's IAM, which evaluates only the first resource, and without any context.

Source: IAM API Reference, SimulatePrincipalPolicy. The simulator knows only the resource tags that the context gives.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from ministack.core.iam_evaluator import EvalContext, _gather_role_policies, evaluate
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam

_DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny"}

QueryParameters = Mapping[str, Any]
"""A request of the Query protocol, decoded: `ActionNames.member.1` and so on."""


def install() -> None:
    """Patches MiniStack. Call it once in a process."""
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = simulate_principal_policy


def simulate_principal_policy(parameters: QueryParameters) -> Any:
    """Answers for a role; for any other principal, returns MiniStack's own answer."""
    principal = str(iam._p(parameters, "PolicySourceArn"))
    kind, _, name = principal.rpartition(":")[2].partition("/")
    if kind != "role":
        return iam._simulate_principal_policy(parameters)
    policies = _gather_role_policies(name.rpartition("/")[2], get_account_id())
    given = _context(parameters)
    results = []
    for action in _members(parameters, "ActionNames"):
        for resource in list(_members(parameters, "ResourceArns")) or ["*"]:
            context = EvalContext(
                principal_arn=principal,
                principal_type="AssumedRole",
                principal_account=get_account_id(),
                action=action,
                resource_arn=resource,
                region=given.get("aws:requestedregion", get_region()),
                source_ip="127.0.0.1",
                secure_transport=True,
                service_context=given,
            )
            results.append(_result(action, resource, evaluate(context, policies).decision))
    answer = f"<EvaluationResults>{''.join(results)}</EvaluationResults><IsTruncated>false</IsTruncated>"
    body = f"<SimulatePrincipalPolicyResult>{answer}</SimulatePrincipalPolicyResult>"
    return iam._xml(200, "SimulatePrincipalPolicyResponse", body, ns="iam")


def _result(action: str, resource: str, decision: str) -> str:
    fields = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": _DECISIONS.get(decision, "implicitDeny"),
    }
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    return f"<member>{inner}<MatchedStatements/><MissingContextValues/></member>"


def _members(parameters: QueryParameters, name: str) -> Iterator[str]:
    number = 1
    while value := iam._p(parameters, f"{name}.member.{number}"):
        yield str(value)
        number += 1


def _context(parameters: QueryParameters) -> dict[str, str | list[str]]:
    """The entries of the context: a list for a key with several values. Keys are in lower case."""
    entries: dict[str, str | list[str]] = {}
    number = 1
    while name := iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyName"):
        values = list(_members(parameters, f"ContextEntries.member.{number}.ContextKeyValues"))
        is_list = iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyType").endswith("List")
        entries[str(name).lower()] = values if is_list else "".join(values[:1])
        number += 1
    return entries
