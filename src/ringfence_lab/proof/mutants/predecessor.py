"""Defects of the sample that came before: awslabs/aws-automating-security-group-updates, 2017."""

from ringfence_lab.proof.mutants.edits import Drop, Replace, Wrap
from ringfence_lab.proof.mutants.mutation import Mutant

_SAMPLE = "original sample"

PREDECESSOR = (
    Mutant(
        "revokes-every-foreign-cidr",
        "Every CIDR that belongs to no member is revoked, even if another tool added it.",
        f"{_SAMPLE}; CAPA #2548",
        "core.plan",
        (Replace("_Comparison._is_mirrored", "... and _.mode is Mode.MIRROR and ...", "True"),),
    ),
    Mutant(
        "opens-every-port-with-a-rule",
        "Members are admitted on every port that has a rule, not only on those where the group admits itself.",
        _SAMPLE,
        "core.plan",
        (Replace("managed_ports", "_.source_group == _", "True"),),
    ),
    Mutant(
        "revoke-drags-others-along",
        "Revoking a rule also revokes all other CIDRs of the same permission.",
        _SAMPLE,
        "core.plan",
        (
            Wrap(
                "plan_group",
                """
                def mutant(original, group, rules, rows, ports, scope, **further):
                    from dataclasses import replace
                    rules = tuple(rules)
                    plan = original(group, rules, rows, ports, scope, **further)
                    revoked = {removal.opening.ports for removal in plan.removals}
                    dragged = [
                        Removal(rule.opening, rule.id, Reason.FOREIGN)
                        for rule in rules
                        if rule.opening is not None and rule.ports in revoked and rule.label(scope.cluster) is None
                    ]
                    return replace(plan, removals=tuple(sorted([*plan.removals, *dragged])))
                """,
            ),
        ),
    ),
    Mutant(
        "errors-of-authorize-swallowed",
        "A refused authorize is ignored, and the hook is answered with CONTINUE.",
        _SAMPLE,
        "reconciler.apply",
        (Replace("_Application.add", "if _._is_outdated(E): raise", "continue"),),
    ),
    Mutant(
        "duplicate-drops-the-batch",
        "One duplicate refuses the whole batch, and the refusal is ignored.",
        f"{_SAMPLE}; ALBC #1438, #1459",
        "reconciler.apply",
        (
            Replace(
                "_Application.add",
                "if _._is_outdated(E): raise",
                "if E.refusal is Refusal.DUPLICATE: continue",
            ),
        ),
    ),
    Mutant(
        "errors-of-revoke-swallowed",
        "A failed revoke is ignored, and the hook is answered with CONTINUE.",
        _SAMPLE,
        "reconciler.apply",
        (
            Replace(
                "_Application._revoked",
                "_.revoke(...)",
                """
                try:
                    IT
                except Exception:
                    return []
                """,
            ),
        ),
    ),
    Mutant(
        "errors-of-a-region-swallowed",
        "A Region's pass counts as done, whatever failed in it.",
        _SAMPLE,
        "reconciler.region_pass",
        (Replace("_run", "RegionResult(R, _)", "RegionResult(R)"),),
    ),
    Mutant(
        "undescribed-is-no-member",
        "An instance that could not be described counts as one without an address.",
        _SAMPLE,
        "core.membership.addresses",
        (Replace("addresses_of", "D is not None and not M", "D is None or not M"),),
    ),
    Mutant(
        "unconditional-writes",
        "The last writer of a row wins, whatever version it read.",
        _SAMPLE,
        "reconciler.rosters",
        (Replace("_write", "T.replace(R, _)", "T.replace(R, T.rows().versions().get(R.key, 0))"),),
    ),
    Mutant(
        "hanging-peer-holds-the-hook",
        "A peer has no deadline: the hook waits as long as the peer takes.",
        _SAMPLE,
        "reconciler.region_pass",
        (Replace("RegionPasses._check", "_.now() > _", "False"),),
    ),
    Mutant(
        "failing-table-leaves-the-hook",
        "While the home table fails, no launch is admitted or answered.",
        _SAMPLE,
        "reconciler.reconcile",
        (Drop("_attempt", "admit_without_table(...)"),),
    ),
)
