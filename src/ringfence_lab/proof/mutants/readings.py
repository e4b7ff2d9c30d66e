"""Defects that show only where EC2's answers are old, or where its documents leave open what an answer means."""

from ringfence_lab.proof.mutants.edits import Replace
from ringfence_lab.proof.mutants.mutation import Mutant

_APPLY = "comment in apply.py"

READINGS = (
    Mutant(
        "every-new-rule-is-answered",
        "A duplicate that is answered as if it were made, but without its rule, crashes the pass.",
        _APPLY,
        "reconciler.apply",
        (Replace("_Application._authorized", "M.get(A.opening)", "M[A.opening]"),),
    ),
)
