"""Defects of our own making: what the engine's comments say it must not do."""

from ringfence_lab.proof.mutants.mutation import Mutant

_ROSTER = "comment in roster.py"
_RECONCILE = "comment in reconcile.py"
_SETTLE = "comment in settle.py"
_GUARD = "comment in guard.py"
_TURNS = "comment in turns.py"

OURS = (
    # Who is a member.
    Mutant(
        "forgets-tombstones",
        "A departed instance is forgotten at the next look.",
        _ROSTER,
        "core.membership",
        (("    departed = dict(before.departed)\n", "    departed: dict[InstanceId, int] = {}\n"),),
    ),
    Mutant(
        "stale-listing-beats-tombstone",
        "A listing that may be older than an instance's departure brings it back.",
        _ROSTER,
        "core.membership",
        (
            (
                "listed in (Phase.JOINING, Phase.SERVING) and now - departed_at > STALE_SECONDS",
                "listed in (Phase.JOINING, Phase.SERVING)",
            ),
        ),
    ),
    Mutant(
        "never-comes-back",
        "A tombstone outranks every listing, for as long as it is kept.",
        _ROSTER,
        "core.membership",
        (("        and not _came_back(before.departed[id], described, listed, now)\n", ""),),
    ),
    Mutant(
        "describe-beats-event",
        "A describe is believed, however fresh the event that contradicts it.",
        _ROSTER,
        "core.membership",
        (("event = event if event is not None and is_fresh(event, now) else None", "event = None"),),
    ),
    Mutant(
        "old-events-are-facts",
        "An event outranks a describe for ever, however late it comes.",
        _ROSTER,
        "core.membership",
        (("return event.time is None or now - event.time <= STALE_SECONDS", "return True"),),
    ),
    Mutant(
        "pool-goer-has-no-tombstone",
        "A member that goes into the warm pool leaves no tombstone.",
        _ROSTER,
        "core.membership",
        (
            (
                "if id in before.members or (isinstance(event, Terminating) and event.origin is Place.GROUP):",
                "if False:",
            ),
        ),
    ),
    Mutant(
        "tombstones-pruned-at-once",
        "A tombstone is pruned with the next write, that of an instance too which a peer may still admit.",
        _ROSTER,
        "core.membership",
        (("if id in owed or now - at < TOMBSTONE_SECONDS", "if now - at < 1"),),
    ),
    # What goes to whom, and when.
    Mutant(
        "publishes-without-need",
        "Every reconcile writes its rosters, whether or not anything changed.",
        _RECONCILE,
        "reconciler.reconcile",
        (
            (
                (
                    "            if previous is not None and roster.says_the_same_as(previous) and "
                    "not overtaken:\n                continue\n"
                ),
                "",
            ),
        ),
    ),
    Mutant(
        "debts-after-the-answer",
        "Which peer may still admit an instance is written down after it was let go.",
        _RECONCILE,
        "reconciler.reconcile",
        (
            (
                (
                    "        rows = self.record_debts(before, rows, turns, waits)\n"
                    "        self.settle((one for one in waits if not one.launching), rows, turns)\n"
                ),
                (
                    "        self.settle((one for one in waits if not one.launching), rows, turns)\n"
                    "        rows = self.record_debts(before, rows, turns, waits)\n"
                ),
            ),
        ),
    ),
    Mutant(
        "answered-before-validation",
        "A termination is answered before the Regions are validated.",
        _RECONCILE,
        "reconciler.reconcile",
        (
            (
                "        self.settle((one for one in waits if one.launching), rows, turns)\n        turns",
                "        self.settle(waits, rows, turns)\n        turns",
            ),
            ("        self.settle((one for one in waits if not one.launching), rows, turns)\n", ""),
        ),
    ),
    Mutant(
        "answers-by-instance",
        "A hook is answered by its instance, not by the token of the wait that the event told of.",
        "ARCHITECTURE.md, the protocol",
        "reconciler.hook_completion",
        (("token = one.event.token if one.event is not None and one.event.hook == hook else None", "token = None"),),
    ),
    Mutant(
        "peer-up-to-date-is-left-alone",
        "A peer that holds our rows is left alone although a hook of ours waits or something is owed.",
        _TURNS,
        "reconciler.region_pass",
        (("        if not (offered or self.waited_for or owed):\n", "        if not offered:\n"),),
    ),
    Mutant(
        "offers-what-is-held",
        "A peer is offered the row that it holds already.",
        _TURNS,
        "reconciler.region_pass",
        (("if versions.get(key, 0) < roster.version}", "if versions.get(key, 0) <= roster.version}"),),
    ),
    # Whom to let go on.
    Mutant(
        "own-region-failed-lets-in",
        "A launch goes on although its own Region could not be brought up to date.",
        _SETTLE,
        "core.hook_decision",
        (("    if home.error is not None:\n", "    if False:\n"),),
    ),
    Mutant(
        "no-wait-for-an-address",
        "An instance that has no address yet is let in at once.",
        _SETTLE,
        "core.hook_decision",
        (("    if waited < settings.address_wait:\n", "    if False:\n"),),
    ),
    Mutant(
        "no-wait-for-release",
        "A peer that may still admit an instance holds nobody.",
        "README, failures",
        "core.hook_decision",
        (("    if required or waited < settings.release_deadline:\n", "    if required:\n"),),
    ),
    Mutant(
        "failed-region-has-released",
        "A Region that could not be reached counts as one that released everybody.",
        "comment in outcome.py",
        "core.region_result",
        (("return self.error is None and roster not in self.doubtful", "return roster not in self.doubtful"),),
    ),
    # What to believe.
    Mutant(
        "no-guard",
        "Every removal is believed at once.",
        _GUARD,
        "core.guard",
        (("    if not doubtful or ", "    if plan or not doubtful or "),),
    ),
    Mutant(
        "surprises-are-believed",
        "A rule of which its roster never heard goes at once, if there are few of them.",
        _GUARD,
        "core.guard",
        (("doubtful = tuple(removal for removal in doubtful if removal.is_surprising)", "doubtful = ()"),),
    ),
    Mutant(
        "second-look-at-once",
        "A second look that comes at once is taken for one that agrees.",
        _GUARD,
        "core.guard",
        (("AGREES_AFTER = STALE_SECONDS", "AGREES_AFTER = 0"),),
    ),
    Mutant(
        "never-convinced",
        "What was held once is held for ever, however many looks agree.",
        _GUARD,
        "core.guard",
        (
            (
                "doubtful = tuple(removal for removal in unexplained if removal.rule not in believed)",
                "doubtful = unexplained",
            ),
        ),
    ),
    Mutant(
        "removes-before-it-adds",
        "Rules are revoked first, then made, where there was room for both.",
        "comment in apply.py",
        "reconciler.apply",
        (
            (
                (
                    "        self._add(plan, additions, applied, room_follows=bool(plan.removals))\n "
                    "       self._remove(plan, applied)\n"
                ),
                (
                    "        self._remove(plan, applied)\n        self._add(plan, additions, "
                    "applied, room_follows=bool(plan.removals))\n"
                ),
            ),
        ),
    ),
    Mutant(
        "one-misfit-keeps-all-out",
        "Where a group has no room for all, nobody gets in.",
        "comment in apply.py",
        "reconciler.apply",
        (
            (
                "                if len(batch) > 1:\n",
                "                if len(batch) > 1 and refused.refusal is not Refusal.QUOTA:\n",
            ),
        ),
    ),
)
