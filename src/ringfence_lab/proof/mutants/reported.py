"""Bugs that users reported in systems like this one, as this engine could have them."""

from ringfence_lab.proof.mutants.edits import Find, Replace, SetConstant, Wrap
from ringfence_lab.proof.mutants.mutation import Mutant

REPORTED = (
    Mutant(
        "unlisted-is-gone",
        "A member that its group does not list is released immediately: one stale describe revokes live rules.",
        "ALBC #3637, #2578; CAPA #2143",
        "core.membership.decision",
        (Replace("_kept", "replace(_, state=MemberState.MISSING, since=_)", "None"),),
    ),
    Mutant(
        "throttled-is-empty",
        "If a describe fails, the group counts as empty.",
        "external-dns #3841, #1238",
        "reconciler.observe",
        (
            Find("observe", "_(partial(_.groups, N))"),
            Replace(
                "observe",
                "L = _.result()",
                """
                from ringfence.core.errors import Retry
                from ringfence.core.observation import Listing
                try:
                    IT
                except Retry:
                    L = Listing({name: {} for name in N})
                """,
            ),
            Replace(
                "observe",
                "S = _.describe(...)",
                """
                try:
                    IT
                except Retry:
                    S = Description({})
                """,
            ),
            Replace(
                "observe", "None if R is None else R.result()", "R.result() if R and any(L.states.values()) else None"
            ),
        ),
    ),
    Mutant(
        "any-label-is-ours",
        "A rule with the label of any cluster counts as owned.",
        "CAPA #2548; external-dns #1239",
        "core.plan",
        (Replace("plan_group", "R.label(_.cluster)", "R.label((R.description.split() + ['', ''])[1])"),),
    ),
    Mutant(
        "drift-is-not-healed",
        "The home group is not compared when no roster changed: a deleted rule stays deleted.",
        "ALBC #2515",
        "reconciler.region_pass",
        (
            Replace(
                "RegionPasses._home",
                "_ = _._access(...)",
                """
                if not (self.rosters.changed or self.waiting):
                    return RegionPass(RegionResult(self.request.home))
                IT
                """,
            ),
        ),
    ),
    Mutant(
        "lost-race-is-done",
        "A Region whose rules changed during an attempt (Duplicate, NotFound) counts as up to date.",
        "CAPA #5438, #2795",
        "reconciler.converge",
        (Replace("Convergence.run", "_, _, _ = True, None, None", "return RegionResult(self.region)"),),
    ),
    Mutant(
        "expired-token-is-an-error",
        "Answering a hook that is no longer active is an error, so the message is delivered again and again.",
        "spacelift #197, #203",
        "reconciler.hook_completion",
        (
            Replace(
                "_complete",
                """
                L
                return False
                """,
                """
                L
                from ringfence.core.errors import Retry
                return Retry("no hook was active")
                """,
            ),
        ),
    ),
    Mutant(
        "released-by-its-described-address",
        "An instance is released only while EC2 still describes its address, which it may not after termination.",
        "infrahouse #33",
        "core.membership.decision",
        (
            Wrap(
                "decide_members",
                """
                def mutant(original, before, observation, events, now, settings):
                    decision = original(before, observation, events, now, settings)
                    roster = decision.roster

                    def has_address(id):
                        described = observation.instances.get(id)
                        return described is not None and bool(described.of_kinds(settings.address_kinds))

                    kept = {
                        id: member
                        for id, member in before.members.items()
                        if id in roster.departed and not has_address(id)
                    }
                    departed = {id: at for id, at in roster.departed.items() if id not in kept}
                    roster = replace(roster, members={**roster.members, **kept}, departed=departed)
                    return replace(decision, roster=roster)
                """,
            ),
        ),
    ),
    Mutant(
        "full-group-lets-in",
        "A launch continues although its own group has no room for its rules.",
        "ALBC #4800, #3538",
        "core.hook_decision",
        (Replace("_refused", "Complete(W, Decision.ABANDONED, R, Y)", "Complete(W, Decision.ADMITTED, R, Y)"),),
    ),
    Mutant(
        "hooks-by-event-only",
        "Only hooks that an event named are answered: a lost event leaves its instance waiting.",
        "NTH #575, #787",
        "core.hook_decision",
        (Replace("waiting_instances", "_ in WAITING", "False"),),
    ),
    Mutant(
        "unknown-instance-waits",
        "The hook of an instance that no roster ever had is never answered.",
        "NTH #331",
        "core.hook_decision",
        (
            Replace(
                "_unknown_in_warm_pool",
                "Complete(W, Decision.LET_GO, R, Y)",
                "Hold(W, R, Y)",
            ),
        ),
    ),
    Mutant(
        "warm-pool-is-in-service",
        "Instances in a warm pool are members.",
        "infrahouse 1.5.0",
        "core.lifecycle",
        (
            SetConstant(
                "PHASES",
                "IT | {'Warmed:Running': Phase.SERVING, 'Warmed:Pending:Wait': Phase.JOINING}",
            ),
        ),
    ),
    Mutant(
        "destination-not-read",
        "Every launching instance counts as on its way into the group, even one on its way into the warm pool.",
        "infrahouse 1.5.0",
        "core.membership.verdict",
        (
            Replace("_passes_through_the_pool", "_.destination is Place.WARM_POOL", "False"),
            Replace("_enters_the_group", "L and _", "L"),
        ),
    ),
    Mutant(
        "origin-not-read",
        "An instance that leaves the warm pool stays departed as long as its tombstone is fresh.",
        "infrahouse 1.5.0",
        "core.membership.verdict",
        (Replace("_has_departed", "isinstance(_, Launching) and _.origin is Place.WARM_POOL and _", "False"),),
    ),
    Mutant(
        "warm-pool-waits-for-its-event",
        "A wait in the warm pool is answered only if its event arrives.",
        "Auto Scaling API reference, DescribeWarmPool",
        "core.observation",
        (Replace("without_contradictions", "{**A, **B}", "A"),),
    ),
    Mutant(
        "inactive-is-believed",
        "A listed wait that Auto Scaling calls inactive is left to the next true-up.",
        "PrairieLearn #15586",
        "reconciler.hook_completion",
        (Replace("complete_hooks", "I and _.take_answer()", "False"),),
    ),
    Mutant(
        "asks-for-an-address-once",
        "An instance that has no address yet when its event arrives waits for the next true-up.",
        "flocker #2237",
        "core.membership.decision",
        (Replace("decide_members", "V.look_again or _lacks_an_address(...)", "V.look_again"),),
    ),
    Mutant(
        "root-volume-wait-is-unknown",
        "The wait for the replacement of a root volume is not in the table, so no listing shows it.",
        "Auto Scaling User Guide, replace root volume",
        "core.lifecycle",
        (
            SetConstant(
                "WAITING", "{state: hooks for state, hooks in (IT).items() if not state.startswith('Replacing')}"
            ),
        ),
    ),
    Mutant(
        "root-volume-is-a-departure",
        "An instance whose root volume is replaced leaves the cluster, as one that terminates.",
        "Auto Scaling User Guide, replace root volume",
        "core.lifecycle",
        (
            SetConstant(
                "PHASES",
                "{state: Phase.LEAVING if phase is Phase.REPLACING else phase for state, phase in (IT).items()}",
            ),
        ),
    ),
    Mutant(
        "old-address-kept",
        "The address that an Elastic IP replaced stays admitted.",
        "alternat #159",
        "core.membership.addresses",
        (
            Replace(
                "addresses_of",
                "if A or B is None: return A",
                "if A or B is None: return tuple(sorted({*(B.addresses if B is not None else ()), *A}))",
            ),
        ),
    ),
    Mutant(
        "moved-address-keeps-its-name",
        "When an Elastic IP moves from one member to another, its rules still name the first.",
        "alternat #159",
        "core.plan",
        (Replace("plan_group", "... and _.may_relabel(_, _)", "False"),),
    ),
    Mutant(
        "private-instead-of-public",
        "The private address is admitted, whatever kinds are configured.",
        "Priam #370",
        "core.membership.addresses",
        (
            Wrap(
                "addresses_of",
                """
                def mutant(original, before, evidence, now, settings):
                    from dataclasses import replace
                    from ringfence.core.configuration.settings import AddressKind
                    private = frozenset({AddressKind.PRIVATE_IPV4})
                    return original(before, evidence, now, replace(settings, address_kinds=private))
                """,
            ),
        ),
    ),
)
