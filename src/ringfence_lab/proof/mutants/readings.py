"""Defects that show only where EC2's answers are old, or where its documents leave open what an answer means."""

from ringfence_lab.proof.mutants.edits import Replace, Wrap
from ringfence_lab.proof.mutants.mutation import Mutant

_APPLY = "comment in apply.py"

READINGS = (
    Mutant(
        "every-new-rule-is-answered",
        "A duplicate that is answered as if it were made, but without its rule, fails the pass.",
        _APPLY,
        "reconciler.apply",
        (
            Wrap(
                "_Application._authorized",
                """
                def mutant(original, self, batch):
                    from ringfence.core.errors import Permanent
                    changes = original(self, batch)
                    if any(isinstance(change, Standing) for change in changes):
                        raise Permanent("a rule is missing from the answer")
                    return changes
                """,
            ),
        ),
    ),
    Mutant(
        "hidden-duplicate-is-a-failure",
        "A rule that exists, and that no reading shows, counts as one that could not be made.",
        "hashicorp/terraform #6325",
        "reconciler.apply",
        (Replace("_Application.add", "E.refusal is Refusal.DUPLICATE", "False"),),
    ),
    Mutant(
        "retries-without-a-pause",
        "A duplicate that no reading shows makes the pass read again, four times in a row, and then fail.",
        "hashicorp/terraform #6325",
        "reconciler.apply",
        (Replace("_Application._is_outdated", "not _ and R", "R"),),
    ),
    Mutant(
        "shown-rule-is-proof",
        "A launch is answered because a reading shows its rule, however old the reading is.",
        "hashicorp/terraform #6325",
        "core.plan",
        (Replace("plan_group", "P and L is not None and L == W and (L.roster, L.instance) in D", "False"),),
    ),
    Mutant(
        "released-without-the-fence",
        "An instance with new rules is released although an older invocation may be making one just then.",
        "spread_check, rule 7",
        "reconciler.converge",
        (Replace("Convergence._fenced", "_ is None or _ < _ + _", "False"),),
    ),
    Mutant(
        "one-clean-reading-counts",
        "No instance is fenced: one clean reading releases it, however new its rules are.",
        "hashicorp/terraform #6325",
        "core.membership.tombstones",
        (Replace("_has_settled", "_ - _ >= _", "True"),),
    ),
)
