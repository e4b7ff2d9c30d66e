"""The five rules of the protocol (ARCHITECTURE.md), each broken in turn."""

from ringfence_lab.proof.mutants.edits import Drop, Replace, Swap
from ringfence_lab.proof.mutants.mutation import Mutant

_WITHOUT_GUARD = Replace(
    "Convergence._apply",
    "G = guard(P, ...)",
    """
    from ringfence.core.guard import GuardedPlan
    G = GuardedPlan(P)
    """,
)
"""The guard waits for a second observation of rules that a roster never knew. That hides most wrong orders of reads."""

PROTOCOL = (
    Mutant(
        "offers-every-row",
        "A Region offers its peers all rows, not only its own.",
        "rule 1, one writer for each row",
        "reconciler.region_pass",
        (
            Replace(
                "RegionPasses._peer_within",
                "{K: R for K, R in _.items() if V < R.version}",
                "{K: R for K, R in self.rosters.rows.rosters.items() if V < R.version}",
            ),
        ),
    ),
    Mutant(
        "retires-others-rosters",
        "A Region empties the rosters of other Regions in its table as if they were of groups that it no longer has.",
        "rule 1, one writer for each row",
        "reconciler.rosters",
        (Replace("decide_rosters", "B.of(_).items()", "B.rosters.items()"),),
    ),
    Mutant(
        "observes-before-it-reads",
        "The row's version is read after the observation that is written under it.",
        "rule 2, versioned",
        "reconciler.reconcile",
        (
            Replace(
                "_attempt",
                "_ = observe_and_decide(Q, S, B, _)",
                """
                IT
                B = read_home_table(Q, S)
                """,
            ),
        ),
    ),
    Mutant(
        "goes-on-after-a-conflict",
        "A conflict is ignored: the roster that lost is still offered to the peers and applied to the rules.",
        "rule 2, versioned",
        "reconciler.rosters",
        (
            Replace(
                "_write",
                "_.table.replace(...)",
                """
                try:
                    IT
                except Conflict:
                    return
                """,
            ),
        ),
    ),
    Mutant(
        "same-version-for-pending-releases",
        "Pending releases are recorded under the version that the row has already.",
        "rule 2, versioned",
        "reconciler.rosters",
        (Replace("record_pending_releases", "R.version + 1", "R.version"),),
    ),
    Mutant(
        "newer-row-in-a-peer-ignored",
        "A peer that holds a newer row of ours is brought to the older one.",
        "rule 2, versioned",
        "reconciler.region_pass",
        (
            Drop("RegionPasses._peer_within", "refuse_if_overtaken(...)"),
            Replace("RegionPasses._peer_within", "(V := T.offer(R)) > R.version", "(V := T.offer(R)) < 0"),
        ),
    ),
    Mutant(
        "peer-group-before-table",
        "A peer's security groups are changed before its table has the roster.",
        "rule 3, table before group",
        "reconciler.region_pass",
        (
            Drop(
                "RegionPasses._peer_within",
                """
                for K, R in sorted(O.items(), ...):
                    ...
                    if (V := T.offer(R)) > R.version: raise E
                """,
            ),
            Replace(
                "RegionPasses._peer_within",
                """
                if _ is None or _._releases: return _run(C, None, None)
                return _run(C, _.result(), W)
                """,
                """
                known = W
                rules = C.access.security_groups.rules(tuple(C.groups))
                done = _run(replace(C, access=replace(C.access, read_rows=lambda: known)), rules, known)
                for K, R in O.items():
                    if (V := T.offer(R)) > R.version:
                        raise E
                return done
                """,
            ),
        ),
    ),
    Mutant(
        "removes-without-the-home-table",
        "While the home table fails, the home group gets a full pass, as if the table had answered.",
        "rule 3, table before group",
        "reconciler.region_pass",
        (
            Replace(
                "RegionPasses.add_only_at_home", "lambda: S.rosters.rows", "S._services(S.request.home).table.rows"
            ),
            Replace("RegionPasses.add_only_at_home", "replace(C, add_only=True)", "C"),
        ),
    ),
    Mutant(
        "removes-by-older-rows",
        "Rules are removed by rows that were read before them (with the guard off, which hides it).",
        "rule 4, actual before desired",
        "reconciler.converge",
        (
            _WITHOUT_GUARD,
            Replace("Convergence._needs_newer_rows", "bool(_.removals or _.relabellings)", "False"),
        ),
    ),
    Mutant(
        "reads-rows-before-rules",
        "The rows are always read before the rules (with the guard off, which hides it).",
        "rule 4, actual before desired",
        "reconciler.converge",
        (
            _WITHOUT_GUARD,
            Swap("Convergence._pass", "_ = _._rules() if _ else _", "_ = _ if _ else _._rows()"),
        ),
    ),
    Mutant(
        "peer-scope-is-everything",
        "In a peer Region every owned rule may be removed, not only those of the home Region's own rosters.",
        "rule 4, scope",
        "core.plan",
        (Replace("Scope.may_remove", "if not S.at_home: return False", "if not S.at_home: return True"),),
    ),
    Mutant(
        "missing-row-is-an-empty-one",
        "The rules of a peer whose row is missing are removed: unknown counts as absent.",
        "rule 4, scope; external-dns #3841",
        "core.plan",
        (Replace("Scope.may_remove", "K in R.rosters if R.is_announced(K) else _", "True"),),
    ),
    Mutant(
        "no-validation",
        "The rosters are not read again after rules were changed.",
        "rule 5, validate after applying",
        "reconciler.reconcile",
        (Replace("_attempt", "_.validate(P)", "results_of(P)"),),
    ),
    Mutant(
        "validation-finds-nothing",
        "The rosters are read again, but no difference counts as a change.",
        "rule 5, validate after applying",
        "reconciler.converge",
        (Replace("Convergence.validate", "all(S.get(K) == V for K, V in _)", "S"),),
    ),
    # Not one of the five, but a Region that has not announced itself is outside of them.
    Mutant(
        "unannounced-peer-is-passed-over",
        "A peer that has a table, and has not announced itself, is taken for one that has nothing to admit.",
        "docs/decisions/0022",
        "reconciler.region_pass",
        (Drop("RegionPasses._peer_within", "if not _ and (_ or not _): ..."),),
    ),
    Mutant(
        "new-peer-is-not-waited-for",
        "A launch does not wait for a peer that is being deployed.",
        "docs/decisions/0022",
        "core.hook_decision",
        (Drop("_launch_in_peers", "if _ and (_ := _) < _: ..."),),
    ),
)
