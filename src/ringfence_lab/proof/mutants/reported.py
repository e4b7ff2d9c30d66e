"""Bugs that users reported of systems like this one, as this engine could have them."""

from ringfence_lab.proof.mutants.mutation import Mutant

REPORTED = (
    Mutant(
        "unlisted-is-gone",
        "A member that its group does not list is gone at once: one stale describe revokes live rules.",
        "ALBC #3637, #2578; CAPA #2143",
        "core.membership",
        (("        return replace(before, state=MemberState.MISSING, since=now)\n", "        return None\n"),),
    ),
    Mutant(
        "throttled-is-empty",
        "Where a describe fails, the group counts as empty.",
        "external-dns #3841, #1238",
        "reconciler.reconcile",
        (
            (
                "        listed, instances = groups.result(), dict(described.result())\n",
                (
                    "        try:\n            listed, instances = groups.result(), dict(described.result())\n"
                    "        except Retry:\n"
                    "            listed, instances = {name: {} for name in settings.auto_scaling_groups}, {}\n"
                ),
            ),
            (
                "            instances |= home.instances.by_id(sorted(missing))\n",
                (
                    "            try:\n                instances |= home.instances.by_id(sorted(missing))\n"
                    "            except Retry:\n                pass\n"
                ),
            ),
            (
                "None if rules is None else rules.result()\n\n    def decide",
                "rules.result() if rules and not seen_nothing(listed) else None\n\n    def decide",
            ),
            (
                "def _rules_or_error(",
                (
                    "def seen_nothing(listed: Mapping[str, object]) -> bool:\n"
                    "    return not any(listed.values())\n\n\ndef _rules_or_error("
                ),
            ),
        ),
    ),
    Mutant(
        "any-label-is-ours",
        "A rule with any cluster's label counts as owned.",
        "CAPA #2548; external-dns #1239",
        "core.plan",
        (("label = rule.label(scope.cluster)", 'label = rule.label((rule.description.split() + ["", ""])[1])'),),
    ),
    Mutant(
        "drift-is-not-healed",
        "Where no roster changed the home group is left alone: a deleted rule stays deleted.",
        "ALBC #2515",
        "reconciler.region_pass",
        (
            (
                "        groups = dict.fromkeys(self.settings.security_groups, self.settings.ports)\n",
                (
                    "        if not (self.changed or self.waited_for):\n            return Turn(Outcome(region))\n"
                    "        groups = dict.fromkeys(self.settings.security_groups, self.settings.ports)\n"
                ),
            ),
        ),
    ),
    Mutant(
        "lost-race-is-done",
        "A Region whose rules changed under an attempt (Duplicate, NotFound) counts as brought up to date.",
        "CAPA #5438, #2795",
        "reconciler.converge",
        (("                rules = rows = None\n", "                return Outcome(self.region)\n"),),
    ),
    Mutant(
        "expired-token-is-an-error",
        "An answer to a hook that is not active any more is an error, and the message comes again and again.",
        "spacelift #197, #203",
        "reconciler.hook_completion",
        (
            (
                "        if active:\n            return None\n    return None\n",
                "        if active:\n            return None\n    return Retry(one.instance)\n",
            ),
            (
                "from ringfence.core.errors import RingfenceError\n",
                "from ringfence.core.errors import Retry, RingfenceError\n",
            ),
        ),
    ),
    Mutant(
        "released-by-its-described-address",
        "An instance is released only if EC2 still says which address it has: by termination it may not.",
        "infrahouse #33",
        "core.membership",
        (
            (
                "            case Phase.LEAVING:\n",
                (
                    "            case Phase.LEAVING:\n"
                    "                if id in before.members and not _addresses(None, "
                    "observation.instances.get(id), settings):\n"
                    "                    members[id] = before.members[id]\n"
                    "                    continue\n"
                ),
            ),
        ),
    ),
    Mutant(
        "full-group-lets-in",
        "A launch goes on although its own group has no room for its rules.",
        "ALBC #4800, #3538",
        "core.hook_decision",
        (("    if refused is not None:\n", "    if refused is not None and refused.refusal is not Refusal.QUOTA:\n"),),
    ),
    Mutant(
        "hooks-by-event-only",
        "Only hooks that an event named are answered: a lost event leaves its instance waiting.",
        "NTH #575, #787",
        "core.hook_decision",
        (("            if state in WAITING:\n", "            if state in WAITING and False:\n"),),
    ),
    Mutant(
        "unknown-instance-waits",
        "The hook of an instance that no roster ever had is never answered.",
        "NTH #331",
        "core.hook_decision",
        (
            (
                (
                    '        return Complete(one, HookResult.CONTINUE, "never a member: it is in the '
                    'warm pool or on its way there")\n'
                ),
                '        return Hold(one, "never heard of it")\n',
            ),
        ),
    ),
    Mutant(
        "warm-pool-is-in-service",
        "Instances in a warm pool are members.",
        "infrahouse 1.5.0",
        "core.lifecycle",
        (
            ('"Warmed:Running": Phase.WARM', '"Warmed:Running": Phase.SERVING'),
            ('"Warmed:Pending:Wait": Phase.WARM', '"Warmed:Pending:Wait": Phase.JOINING'),
        ),
    ),
    Mutant(
        "destination-not-read",
        "Whatever launches is on its way into the group, also into the warm pool.",
        "infrahouse 1.5.0",
        "core.membership",
        (
            (
                "into_pool = isinstance(event, Launching) and event.destination is Place.WARM_POOL",
                "into_pool = False",
            ),
        ),
    ),
    Mutant(
        "origin-not-read",
        "An instance that comes back out of the warm pool stays departed for as long as its tombstone is fresh.",
        "infrahouse 1.5.0",
        "core.membership",
        (("comes_out = isinstance(event, Launching) and event.origin is Place.WARM_POOL", "comes_out = False"),),
    ),
    Mutant(
        "old-address-kept",
        "The address that an Elastic IP replaced stays admitted.",
        "alternat #159",
        "core.membership",
        (
            (
                "return before.addresses if before is not None and not addresses and too_early else addresses",
                "return tuple(sorted({*(before.addresses if before is not None else ()), *addresses}))",
            ),
        ),
    ),
    Mutant(
        "moved-address-keeps-its-name",
        "When an Elastic IP moves from one member to another, its rules go on naming the first.",
        "alternat #159",
        "core.plan",
        (("elif label is not None and label != now and scope.may_relabel(label):", "elif False:"),),
    ),
    Mutant(
        "private-instead-of-public",
        "The private address is admitted, whatever kinds are configured.",
        "Priam #370",
        "core.membership",
        (
            ("described.of_kinds(settings.address_kinds)", "described.of_kinds(frozenset({AddressKind.PRIVATE_IPV4}))"),
            (
                "from ringfence.core.settings import Mode, Settings",
                "from ringfence.core.settings import AddressKind, Mode, Settings",
            ),
        ),
    ),
)
