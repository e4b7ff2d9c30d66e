"""The five rules of the protocol (ARCHITECTURE.md), each taken away in turn."""

from ringfence_lab.proof.mutants.mutation import Mutant

_UNGUARDED = ("guarded = guard(plan, earlier, self.confirmed, self.limits, now)", "guarded = Guarded(plan)")
"""The guard looks twice at what a roster never heard of, and so hides most of what a wrong order of reads breaks."""

PROTOCOL = (
    Mutant(
        "offers-every-row",
        "A Region offers the other Regions' rows too, not only its own.",
        "rule 1, one writer for each row",
        "reconciler.region_pass",
        (
            (
                "offered = {key: roster for key, roster in own.items() if versions.get(key, 0) < roster.version}",
                "offered = {key: r for key, r in self.rows.rosters.items() if versions.get(key, 0) < r.version}",
            ),
        ),
    ),
    Mutant(
        "retires-others-rosters",
        "A Region empties every roster in its table that is of no group of its own.",
        "rule 1, one writer for each row",
        "reconciler.reconcile",
        (("own = before.of(settings.region).items()", "own = before.rosters.items()"),),
    ),
    Mutant(
        "observes-before-it-reads",
        "The row's version is read after the observation that is written under it.",
        "rule 2, versioned",
        "reconciler.reconcile",
        (
            (
                "            seen, rules = self.observe(before)\n            rosters",
                (
                    "            seen, rules = self.observe(before)\n"
                    "            with self.on_home_table():\n"
                    "                before = self.read()\n"
                    "            rosters"
                ),
            ),
        ),
    ),
    Mutant(
        "goes-on-after-a-conflict",
        "A conflict is passed over: the roster that lost goes to the peers and into the rules all the same.",
        "rule 2, versioned",
        "reconciler.reconcile",
        (
            (
                "        self.table.replace(roster, standing_version)\n",
                (
                    "        try:\n            self.table.replace(roster, standing_version)\n"
                    "        except Conflict:\n            return\n"
                ),
            ),
        ),
    ),
    Mutant(
        "same-version-for-debts",
        "Debts are written under the version that stands already.",
        "rule 2, versioned",
        "reconciler.reconcile",
        (
            (
                "owed=owed, version=roster.version + 1, updated_at=now",
                "owed=owed, version=roster.version, updated_at=now",
            ),
        ),
    ),
    Mutant(
        "newer-row-in-a-peer-ignored",
        "A peer that holds a newer row of ours is brought to the older one.",
        "rule 2, versioned",
        "reconciler.region_pass",
        (
            ("            _refuse_if_overtaken(region, own, held)\n", ""),
            ("if (standing := table.offer(roster)) > roster.version:", "if (standing := table.offer(roster)) < 0:"),
        ),
    ),
    Mutant(
        "peer-group-before-table",
        "A peer's security groups are changed before its table has taken the roster.",
        "rule 3, table before group",
        "reconciler.region_pass",
        (
            (
                (
                    "        for key, roster in offered.items():\n"
                    "            check()\n"
                    "            if (standing := table.offer(roster)) > roster.version:\n"
                    "                raise _overtaken(region, {key: standing})\n"
                ),
                "",
            ),
            (
                (
                    "        if early is None or self.releases:\n            return _run(convergence, None, None)\n"
                    "        return _run(convergence, early.result(), Rows(rosters={**held.rosters, **offered}))\n"
                ),
                (
                    "        known = Rows(rosters={**held.rosters, **offered})\n"
                    "        rules = convergence.security_groups.rules(tuple(groups))\n"
                    "        turn = _run(replace(convergence, read_rows=lambda: known), rules, known)\n"
                    "        for key, roster in offered.items():\n"
                    "            if (standing := table.offer(roster)) > roster.version:\n"
                    "                raise _overtaken(region, {key: standing})\n"
                    "        return turn\n"
                ),
            ),
        ),
    ),
    Mutant(
        "removes-without-the-home-table",
        "With the home table down, the home group is brought to what is known without it.",
        "rule 3, table before group",
        "reconciler.reconcile",
        (("turns.home(rules, add_only=True)", "turns.home(rules, add_only=True and False)"),),
    ),
    Mutant(
        "removes-by-older-rows",
        "Rules are removed by rows that were read before them (with the guard off, which hides it).",
        "rule 4, actual before desired",
        "reconciler.converge",
        (
            _UNGUARDED,
            (
                "        removes = bool(plan.removals or plan.relabellings)\n",
                "        removes = False\n",
            ),
        ),
    ),
    Mutant(
        "reads-rows-before-rules",
        "The rows are always read first, then the rules (with the guard off, which hides it).",
        "rule 4, actual before desired",
        "reconciler.converge",
        (
            _UNGUARDED,
            (
                "            rules = self._rules() if rules is None else rules\n            rows = self._rows()\n",
                "            rows = self._rows()\n            rules = self._rules() if rules is None else rules\n",
            ),
        ),
    ),
    Mutant(
        "peer-scope-is-everything",
        "In a peer Region every owned rule is fair game, not only those of the own rosters.",
        "rule 4, scope",
        "core.plan",
        (("return key.region == self.home and key in rows.rosters", "return True"),),
    ),
    Mutant(
        "missing-row-is-an-empty-one",
        "The rules of a peer whose row is missing are removed: unknown is taken for absent.",
        "rule 4, scope; external-dns #3841",
        "core.plan",
        (("return key in rows.rosters or key.region not in self.regions", "return True"),),
    ),
    Mutant(
        "no-validation",
        "The rosters are not read again after rules were changed.",
        "rule 5, validate after applying",
        "reconciler.reconcile",
        (("        turns = self.validate(turns)\n", ""),),
    ),
    Mutant(
        "validation-finds-nothing",
        "The rosters are read again, and whatever they say is taken for what they said.",
        "rule 5, validate after applying",
        "reconciler.converge",
        (
            (
                "if all(standing.get(key) == version for key, version in outcome.rows.versions().items()):",
                "if standing:",
            ),
        ),
    ),
)
