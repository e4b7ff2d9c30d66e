"""Defects of an operator's pause: it is ignored, it reaches too few, or it does not end."""

from ringfence_lab.proof.mutants.edits import Drop, Replace
from ringfence_lab.proof.mutants.mutation import Mutant

_DECISION = "decision 27"

PAUSES = (
    Mutant(
        "pause-is-ignored",
        "The engine of a paused Region goes on as if it were not paused.",
        _DECISION,
        "reconciler.request",
        (Replace("Request.as_paused_by", "(P := R) is None", "(P := R) is None or True"),),
    ),
    Mutant(
        "pause-is-of-one-engine",
        "An engine looks into a paused peer's own table, and changes the peer's groups if it does not say so yet.",
        _DECISION,
        "reconciler.region_pass",
        (Drop("RegionPasses._peer_within", "if _.pause_of(_) is not None:\n    return _"),),
    ),
    Mutant(
        "paused-engine-still-changes-rules",
        "A paused Region lets its instances go, but goes on changing rules.",
        _DECISION,
        "reconciler.region_pass",
        (Replace("RegionPasses._convergence", "S.mode is Mode.OBSERVE", "False"),),
    ),
    Mutant(
        "pause-never-ends",
        "A Region that was resumed is still paused.",
        _DECISION,
        "core.model.rosters",
        (Replace("Rows.pause_of", "P is None or P.is_over", "P is None"),),
    ),
)
