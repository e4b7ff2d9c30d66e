"""Defects that the engine's own comments and documents warn of."""

from ringfence_lab.proof.mutants.edits import Drop, Find, Replace, SetConstant, Swap
from ringfence_lab.proof.mutants.mutation import Mutant

_MEMBERSHIP = "comment in membership"
_WITHOUT_GROUP = "comment in without_group.py"
_RECONCILE = "comment in reconcile.py"
_ROSTERS = "comment in rosters.py"
_HOOK_DECISION = "comment in hook_decision.py"
_GUARD = "comment in guard.py"
_REGION = "comment in region_pass.py"
_APPLY = "comment in apply.py"
_ZONES = "EC2 API Reference, DescribeInstances"

OURS = (
    # Who is a member.
    Mutant(
        "forgets-tombstones",
        "A departed instance is forgotten at the next observation.",
        _MEMBERSHIP,
        "core.membership.tombstones",
        (Replace("tombstones", "{I: A for I, A in _.departed.items() if _}", "{}"),),
    ),
    Mutant(
        "stale-listing-beats-tombstone",
        "A listing that may be older than an instance's departure makes the instance a member again.",
        _MEMBERSHIP,
        "core.membership.verdict",
        (Replace("_departed_lately", "_ <= STALE_SECONDS or R", "R"),),
    ),
    Mutant(
        "never-comes-back",
        "A tombstone outranks every listing as long as it is kept.",
        _MEMBERSHIP,
        "core.membership.verdict",
        (Replace("_departed_lately", "_ <= STALE_SECONDS or _", "True"),),
    ),
    Mutant(
        "pool-goer-has-no-tombstone",
        "A member that goes into the warm pool leaves no tombstone.",
        _MEMBERSHIP,
        "core.membership.tombstones",
        (Replace("departure", "_.member is not None or _", "False"),),
    ),
    Mutant(
        "tombstones-pruned-at-once",
        "A tombstone is removed with the next write, even that of an instance which a peer may still admit.",
        _MEMBERSHIP,
        "core.membership.tombstones",
        (Replace("pruned", "_ in _ or A < TOMBSTONE_SECONDS", "A < 1"),),
    ),
    Mutant(
        "missing-group-keeps-its-ended",
        "What EC2 calls terminated stays a member if its group does not exist.",
        _WITHOUT_GROUP,
        "core.without_group",
        (Replace("_has_left", "_.power is Power.TERMINATED or D", "D"),),
    ),
    Mutant(
        "missing-group-forgets-nothing",
        "What EC2 has forgotten stays a member if its group does not exist.",
        _WITHOUT_GROUP,
        "core.without_group",
        (Replace("decide_without_group", "_ not in _.absent", "True"),),
    ),
    Mutant(
        "no-port-no-plan",
        "A security group without a port to manage keeps the rules of departed members.",
        "issue 12, item 7",
        "reconciler.converge",
        (
            Replace(
                "Convergence._plans",
                "return [T._plan(G, R[G], W, P) for G, P in I]",
                "return [T._plan(G, R[G], W, P) for G, P in I if P]",
            ),
        ),
    ),
    Mutant(
        "no-port-no-member",
        "Without a port to manage, the rules of members are removed too.",
        "issue 12, item 7",
        "core.plan",
        (Replace("plan_group", "W.get(O) if P else D.get(C)", "W.get(O)"),),
    ),
    Mutant(
        "gone-group-admits",
        "A security group that does not exist counts as one that admits every instance.",
        "issue 12, item 8",
        "reconciler.converge",
        (
            Replace(
                "Convergence._pass",
                "_._barred(G, _)",
                "None if G else IT",
            ),
        ),
    ),
    # Which rosters go to which Region, and when.
    Mutant(
        "publishes-without-need",
        "Every reconcile writes its rosters, even if nothing changed.",
        _ROSTERS,
        "reconciler.rosters",
        (Replace("publish", "... and _.says_the_same_as(_) and ...", "False"),),
    ),
    Mutant(
        "pending-releases-after-the-answer",
        "Pending releases are recorded after the instance was let go.",
        _ROSTERS,
        "reconciler.reconcile",
        (
            Replace(
                "_attempt",
                """
                W = record_pending_releases(Q, S, P, R, I)
                T
                A.add_all(complete_hooks(L, W, R, S, settings=G, budget=B))
                """,
                """
                W = P.rows
                T
                A.add_all(complete_hooks(L, W, R, S, settings=G, budget=B))
                W = record_pending_releases(Q, S, P, R, I)
                """,
            ),
        ),
    ),
    Mutant(
        "answered-before-validation",
        "A termination is answered before the Regions are validated.",
        _RECONCILE,
        "reconciler.reconcile",
        (
            Replace("_attempt", "[I for I in A if not I.releases]", "A"),
            Find("_attempt", "W = record_pending_releases(...)"),
            Drop("_attempt", "_.add_all(complete_hooks(_, W, ...))"),
        ),
    ),
    Mutant(
        "answers-by-instance",
        "A hook is answered by its instance, not by the token of the wait that the event named.",
        "ARCHITECTURE.md, the protocol",
        "reconciler.hook_completion",
        (Replace("_tokens", "_.token if _ else None", "None"),),
    ),
    Mutant(
        "peer-up-to-date-is-left-alone",
        "A peer that holds our rows gets no pass, even if one of our hooks waits or a release is pending.",
        _REGION,
        "reconciler.region_pass",
        (Replace("RegionPasses._peer_within", "A or _._waited_for or _ or S", "A or S"),),
    ),
    Mutant(
        "offers-what-is-held",
        "A peer is offered a row that it already holds.",
        _REGION,
        "reconciler.region_pass",
        (Replace("RegionPasses._peer_within", "A < R.version", "A <= R.version"),),
    ),
    # Which instance may go on.
    Mutant(
        "own-region-failed-lets-in",
        "A launch continues although its own Region could not be brought up to date.",
        _HOOK_DECISION,
        "core.hook_decision",
        (Replace("_launch", "_.error is not None", "False"),),
    ),
    Mutant(
        "no-wait-for-an-address",
        "The launch of an instance without an address is answered immediately.",
        _HOOK_DECISION,
        "core.hook_decision",
        (Replace("_without_address", "_ < _.address_wait", "False"),),
    ),
    Mutant(
        "no-wait-for-release",
        "A termination does not wait for a peer that may still admit the instance.",
        "README, failures",
        "core.hook_decision",
        (Replace("_release_deadline", "return _.release_deadline", "return 0"),),
    ),
    Mutant(
        "failed-region-has-released",
        "A Region that could not be reached counts as one that released every instance.",
        "comment in region_result.py",
        "core.region_result",
        (Replace("RegionResult.has_released", "_.was_compared_with(_)", "True"),),
    ),
    # What is believed.
    Mutant(
        "older-description-removes-an-address",
        "A description without an address removes the address of a new member.",
        _MEMBERSHIP,
        "core.membership.addresses",
        (Replace("_may_be_older", "P or _", "P"),),
    ),
    Mutant(
        "no-guard",
        "Every removal is believed at its first observation.",
        _GUARD,
        "core.guard",
        (Replace("guard", "_ or GuardedPlan(...).digest in _", "True"),),
    ),
    Mutant(
        "surprises-are-believed",
        "A rule that its roster never knew is removed immediately, if there are few of them.",
        _GUARD,
        "core.guard",
        (Replace("guard", "tuple(R for R in _ if R.is_surprising)", "()"),),
    ),
    Mutant(
        "second-look-at-once",
        "A second observation confirms the first however soon it follows.",
        _GUARD,
        "core.guard",
        (SetConstant("AGREES_AFTER", "0"),),
    ),
    Mutant(
        "never-convinced",
        "A removal that was held once is held forever, however many observations agree.",
        _GUARD,
        "core.guard",
        (Replace("guard", "_.rule not in _", "True"),),
    ),
    Mutant(
        "removes-before-it-adds",
        "Rules are revoked before others are added, even if there is room for both.",
        _APPLY,
        "reconciler.apply",
        (Swap("apply", "yield from _.add(...)", "yield from _.remove()"),),
    ),
    Mutant(
        "one-misfit-keeps-all-out",
        "If a group has no room for all rules of a call, none of them is added.",
        _APPLY,
        "reconciler.apply",
        (
            Find("_Application.add", "NotAdded(B[0], E)"),
            Replace("_Application.add", "len(B) > 1", "len(B) > 1 and E.refusal is not Refusal.QUOTA"),
        ),
    ),
    # Where EC2 does not describe a zone.
    Mutant(
        "zone-outage-stops-the-region",
        "If EC2 does not describe the whole Region, its zones are not tried, and nothing is done.",
        _ZONES,
        "reconciler.zones",
        (Replace("Describer.describe", "if W and _ <= _.undescribed.keys(): raise", "raise"),),
    ),
    Mutant(
        "describes-all-zones-together",
        "After a failure, one call names the instances of all zones.",
        _ZONES,
        "reconciler.zones",
        (Replace("Describer.by_zone", "_.zones.get(_, UNKNOWN_ZONE)", "UNKNOWN_ZONE"),),
    ),
    Mutant(
        "undescribed-members-leave",
        "An instance of a zone that EC2 does not describe counts as terminated.",
        _ZONES,
        "core.membership.verdict",
        (
            Find("verdict_on", "_, _, _ = E.event, E.listed, E.described"),
            Replace("verdict_on", "D is not None and D.power is Power.TERMINATED", "E.cannot_be_described or (IT)"),
        ),
    ),
    Mutant(
        "undescribed-launches-go-on",
        "An instance that EC2 does not describe counts as one without an address when its wait is over.",
        _ZONES,
        "core.hook_decision",
        (Replace("_launch", "not M.addresses and W.undescribed", "False"),),
    ),
)
