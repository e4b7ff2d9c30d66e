"""Defects that let someone from outside stop, open or empty a security group: forged events, rows and labels."""

from ringfence_lab.proof.mutants.edits import Drop, Find, Replace
from ringfence_lab.proof.mutants.mutation import Mutant

_SECURITY = "docs/security.md"
_MEMBERSHIP = "comment in membership.py"
_ROWS = "comment in roster_item.py"

OUTSIDE = (
    # Messages.
    Mutant(
        "trusts-launch-events",
        "A launch event alone makes its instance a member.",
        _MEMBERSHIP,
        "core.membership",
        (Replace("_unlisted", "L and isinstance(_, Launching) and _ and _.has_tag", "L"),),
    ),
    Mutant(
        "trusts-termination-events",
        "A termination event alone ends the membership of an instance that its group lists.",
        _MEMBERSHIP,
        "core.membership",
        (
            Replace(
                "_verdict",
                "if _departed_lately(E, N): return V",
                "if _departed_lately(E, N) or _ends_membership(E.event): return V",
            ),
        ),
    ),
    Mutant(
        "no-second-look",
        "If AWS and an event disagree, the decision is made without a second look.",
        "comment in second_look.py",
        "reconciler.second_look",
        (Replace("observe_and_decide", "_.look_again and _.take_look()", "False"),),
    ),
    Mutant(
        "looks-until-it-agrees",
        "An engine looks again for as long as AWS and an event disagree.",
        "comment in second_look.py",
        "reconciler.pauses",
        (Replace("PauseBudget.take_look", "_ >= 0", "True"),),
    ),
    Mutant(
        "forged-token-hides-a-wait",
        "If the token of an event is not active, the wait that the group lists is not answered either.",
        "comment in hook_completion.py",
        "reconciler.hook_completion",
        (Find("_tokens", "if T is not None: yield T"), Replace("_tokens", "W.listed", "W.listed and T is None")),
    ),
    Mutant(
        "termination-is-a-replacement",
        "A fresh termination of an instance that is listed as one whose root volume is replaced is let go.",
        "comment in hook_decision.py",
        "core.hook_decision",
        (
            Replace("_with_event", "isinstance(_, Terminating) and _ and _.stays", "False"),
            Replace("decide", "_.stays and _ in _.departed", "False"),
        ),
    ),
    Mutant(
        "termination-event-hides-a-launch",
        "A termination event for an instance that the group lists as launching replaces its wait.",
        "comment in hook_decision.py",
        "core.hook_decision",
        (
            Replace(
                "_with_event",
                "if not set(N.transitions) <= set(L.transitions): return L",
                "if not set(N.transitions) <= set(L.transitions): return replace(N, listed=True)",
            ),
        ),
    ),
    Mutant(
        "strangers-get-tombstones",
        "A tombstone is kept for an instance that neither the roster nor the group knows.",
        _MEMBERSHIP,
        "core.membership",
        (Replace("_departure", "D = _.is_known", "D = True"),),
    ),
    Mutant(
        "malformed-message-fails-the-batch",
        "A message that cannot be read sends its whole batch back to the queue.",
        "comment in batch.py",
        "runtime.batch",
        (
            Find("serve", "for G in M: ..."),
            Find("serve", "(*F, *_)"),
            Replace(
                "serve",
                "R = A(L) if L else BatchResult()",
                """
                IT
                if F:
                    return BatchResult(tuple(M))
                """,
            ),
        ),
    ),
    Mutant(
        "bad-true-up-buries-the-batch",
        "A true-up that names an unknown group sends the lifecycle events of its batch to the dead-letter queue.",
        "comment in errors.py",
        "core.errors",
        (Drop("Permanent._is_about", "if _.event is not None: return _"),),
    ),
    Mutant(
        "denied-once-is-denied-for-ever",
        "An event of a new stack, whose policies are not there yet, goes to the dead-letter queue at once.",
        "comment in errors.py",
        "core.errors",
        (Replace("Permanent.reason_for", "self.is_denial and _", "False"),),
    ),
    # Rows.
    Mutant(
        "believes-the-future",
        "Times in a row may be in the future, also those of tombstones.",
        _ROWS,
        "aws.roster_item",
        (Replace("_not_future", "T < 0 or _", "T < 0"),),
    ),
    Mutant(
        "any-version-is-a-version",
        "A row's version has no bounds.",
        _ROWS,
        "aws.roster_item",
        (
            Replace("_version", "V = _whole(A)", "V = int(A['N']) if A.get('N', '').isdigit() else _whole(A)"),
            Drop("_version", "if not 1 <= _ <= _: raise _"),
        ),
    ),
    Mutant(
        "bad-row-is-not-replaced",
        "A row at home whose version cannot be read is replaced as if there were no row.",
        "comment in rosters.py",
        "reconciler.rosters",
        (Replace("publish", "B.version_read(K)", "B.versions().get(K, 0)"),),
    ),
    Mutant(
        "unannounced-roster-is-wanted",
        "The members of a roster that its Region does not announce are admitted.",
        _SECURITY,
        "core.plan",
        (Replace("Scope.desired", "W and _.is_announced(_)", "W"),),
    ),
    Mutant(
        "announcement-is-ignored",
        "Every Region counts as one of version 0.1, which announces nothing.",
        _SECURITY,
        "core.model.rosters",
        (Replace("Rows.announcement", "_.rosters.get(_)", "None"),),
    ),
    Mutant(
        "doubtful-announcement-is-believed",
        "A Region whose announcement cannot be trusted counts as one of version 0.1.",
        _SECURITY,
        "core.plan",
        (Replace("_is_confirmed", "not _is_uncertain(...)", "True"),),
    ),
    Mutant(
        "announcement-needs-no-version",
        "An announcement without a version is read as a row of the original sample.",
        _ROWS,
        "aws.roster_item",
        (
            Replace("from_item", "V and not K.is_announcement", "V"),
            Replace(
                "from_item",
                "_announced(I['groups']) if _ else None",
                "_announced(I['groups']) if 'groups' in I else None",
            ),
        ),
    ),
    Mutant(
        "peer-dictates-the-ports",
        "All ports that a peer announces are opened there, also those that are not ours.",
        _SECURITY,
        "core.plan",
        (Replace("GroupPorts.managed", "_ in _", "True"),),
    ),
    Mutant(
        "no-limit-of-addresses",
        "All addresses of an instance are admitted, however many it has.",
        _MEMBERSHIP,
        "core.membership",
        (Replace("_addresses", "A[:ADDRESSES_LIMIT]", "A"),),
    ),
    Mutant(
        "invented-row-stays",
        "A row in the Region's key range that is of none of its groups is never deleted.",
        "comment in strange_rows.py",
        "reconciler.strange_rows",
        (Replace("_is_clean", "_.error is None and ...", "False"),),
    ),
    Mutant(
        "uncertain-claim-hides-a-member",
        "The first claim to an address counts, even if its instance may be no member.",
        "comment in plan.py",
        "core.plan",
        (Replace("Scope.desired", "U if _is_uncertain(...) else W", "W"),),
    ),
    Mutant(
        "pool-event-removes-a-member",
        "An event of the warm pool ends the membership of an instance that its group does not list.",
        _MEMBERSHIP,
        "core.membership",
        (Replace("_unlisted", "P and _.member is None", "P"),),
    ),
    Mutant(
        "mirror-waits-for-ever",
        "Mirror mode removes nothing, as if a roster of the cluster could never be read.",
        _SECURITY,
        "core.plan",
        (Replace("Scope.has_every_roster", "not _ and all(...)", "False"),),
    ),
    # Labels.
    Mutant(
        "label-on-a-network-is-ours",
        "A label makes every rule ours, even one that admits a whole network.",
        "comment in rules.py",
        "core.model.addresses",
        (Replace("is_host", "return False", "return True"),),
    ),
)
