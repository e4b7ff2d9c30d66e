"""The defects of the sample that came before: awslabs/aws-automating-security-group-updates, 2017."""

from ringfence_lab.proof.mutants.mutation import Mutant

_SAMPLE = "original sample"

PREDECESSOR = (
    Mutant(
        "revokes-every-foreign-cidr",
        "Every CIDR that is no member's is revoked, whoever put it there.",
        f"{_SAMPLE}; CAPA #2548",
        "core.plan",
        (("mirrored = scope.at_home and scope.mode is Mode.MIRROR and opening.ports in ports", "mirrored = True"),),
    ),
    Mutant(
        "opens-every-port-with-a-rule",
        "Members are admitted on every port that has any rule, not only where the group admits itself.",
        _SAMPLE,
        "core.plan",
        (("{rule.ports for rule in rules if rule.source_group == group}", "{rule.ports for rule in rules}"),),
    ),
    Mutant(
        "revoke-drags-others-along",
        "Revoking a rule takes all other CIDRs of the same permission with it.",
        _SAMPLE,
        "core.plan",
        (
            (
                "    return Plan(group, tuple(sorted(additions))",
                (
                    "    gone = {removal.opening.ports for removal in removals}\n"
                    "    removals += [\n"
                    "        Removal(rule.opening, rule.id, Reason.FOREIGN)\n"
                    "        for rule in rules\n"
                    "        if rule.opening is not None and rule.ports in gone and rule.label(scope.cluster) is None\n"
                    "    ]\n"
                    "    return Plan(group, tuple(sorted(additions))"
                ),
            ),
        ),
    ),
    Mutant(
        "errors-of-authorize-swallowed",
        "A refused authorize is passed over, and the hook answered CONTINUE.",
        _SAMPLE,
        "reconciler.apply",
        (
            (
                (
                    "                if refused.refusal in (Refusal.DUPLICATE, Refusal.NOT_FOUND):\n "
                    "                   raise\n"
                ),
                "                continue\n",
            ),
        ),
    ),
    Mutant(
        "duplicate-drops-the-batch",
        "One duplicate refuses the whole batch, and the refusal is passed over.",
        f"{_SAMPLE}; ALBC #1438, #1459",
        "reconciler.apply",
        (
            (
                (
                    "                if refused.refusal in (Refusal.DUPLICATE, Refusal.NOT_FOUND):\n "
                    "                   raise\n"
                ),
                "                if refused.refusal is Refusal.DUPLICATE:\n                    continue\n",
            ),
        ),
    ),
    Mutant(
        "errors-of-revoke-swallowed",
        "A failed revoke is passed over, and the hook answered CONTINUE.",
        _SAMPLE,
        "reconciler.apply",
        (
            (
                "            self.security_groups.revoke(plan.group, [removal.rule for removal in batch])\n",
                (
                    "            try:\n"
                    "                self.security_groups.revoke(plan.group, [removal.rule for removal in batch])\n"
                    "            except Exception:\n"
                    "                continue\n"
                ),
            ),
        ),
    ),
    Mutant(
        "errors-of-a-region-swallowed",
        "Whatever fails in a Region, its turn counts as done.",
        _SAMPLE,
        "reconciler.region_pass",
        (
            (
                "        return Turn(Outcome(convergence.region, error))\n",
                "        return Turn(Outcome(convergence.region))\n",
            ),
        ),
    ),
    Mutant(
        "undescribed-is-no-member",
        "An instance that could not be described is taken for one without an address.",
        _SAMPLE,
        "core.membership",
        (
            (
                "return before.addresses if before is not None and not addresses and too_early else addresses",
                "return addresses",
            ),
        ),
    ),
    Mutant(
        "unconditional-writes",
        "The last writer of a row wins, whatever it saw.",
        _SAMPLE,
        "reconciler.reconcile",
        (
            (
                "self.table.replace(roster, standing_version)",
                "self.table.replace(roster, self.table.rows().versions().get(roster.key, 0))",
            ),
        ),
    ),
    Mutant(
        "hanging-peer-holds-the-hook",
        "A peer has no deadline: the hook waits for as long as it takes.",
        _SAMPLE,
        "reconciler.region_pass",
        (("if self.world.clock.now() > deadline:", "if False:"),),
    ),
    Mutant(
        "failing-table-leaves-the-hook",
        "Where the home table fails, no launch is admitted or answered.",
        _SAMPLE,
        "reconciler.reconcile",
        (("            self.admit_without_table(down.reason)\n", ""),),
    ),
)
