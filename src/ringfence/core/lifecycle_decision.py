"""What the engine decides about an instance that waits at a lifecycle hook, and for which reason.

Pure values. The audit log, `history` and `explain` name decisions and reasons by these values: they are an interface.
"""

from enum import Enum

from ringfence.core.lifecycle import HookResult


class Decision(Enum):
    """The decision about one waiting instance. All but the first answer its hook."""

    HELD = "held"  # it stays in its wait state
    ADMITTED = "admitted"  # CONTINUE: its addresses are in every security group of its own Region at least
    RELEASED = "released"  # CONTINUE: its addresses are in no security group any more
    LET_GO = "let-go"  # CONTINUE without being admitted or released
    ABANDONED = "abandoned"  # ABANDON: it cannot join


def answer_of(decision: Decision) -> HookResult:
    """The answer to the hook that a decision gives. An instance that is held gets none."""
    return HookResult.ABANDON if decision is Decision.ABANDONED else HookResult.CONTINUE


MESSAGES = {
    Decision.HELD: "instance held",
    Decision.ADMITTED: "instance admitted",
    Decision.RELEASED: "instance released",
    Decision.LET_GO: "instance let go",
    Decision.ABANDONED: "launch abandoned",
}
"""The message of the log for each decision."""

INACTIVE = "hook was not active any more"
"""The message for an answer that came too late: someone else gave one, or the hook timed out."""


class Reason(Enum):
    """Why a decision was made, as a program recognizes it. The sentence for people has the details."""

    # A launch is held, or abandoned.
    LEAVING = "leaving"  # it is on its way out already
    REGION_FAILED = "region-failed"  # its own Region could not be brought up to date
    GROUP_UNUSABLE = "group-unusable"  # a security group does not exist, or has no port to manage
    NOT_DESCRIBED = "not-described"  # EC2 did not answer for it
    NO_ADDRESS = "no-address"  # it has no address of a configured kind
    NO_ROOM = "no-room"  # a security group of its own Region is full
    REFUSED = "refused"  # EC2 refused its rules for another reason
    UNCONFIRMED = "unconfirmed"  # AWS does not show it everywhere yet
    RULE_OF_ANOTHER = "rule-of-another"  # only a rule that names another instance admits its address
    PEER_LACKS_IT = "peer-lacks-it"  # a required peer does not admit it
    PEER_IS_NEW = "peer-is-new"  # a peer is being deployed
    # A launch continues.
    ADMITTED_EVERYWHERE = "admitted-everywhere"
    ADMITTED_AT_HOME = "admitted-at-home"  # the peers that lack it follow
    # A termination is held.
    OLD_LISTING = "old-listing"  # the instance may wait for something else by now
    STILL_LISTED = "still-listed"  # AWS does not show yet that it left
    GUARDED = "guarded"  # the guard holds the removal of its rules
    SECOND_LOOK = "second-look"  # a rule for it may be new, or was found unexpectedly
    PEER_ADMITS_IT = "peer-admits-it"  # a peer may still admit it
    TABLE_DOWN = "table-down"  # nothing can be published
    # A termination continues.
    RELEASED_EVERYWHERE = "released-everywhere"
    STALE_DOOR = "stale-door"  # a peer may still admit it, and the deadline has passed
    # Others.
    ROOT_VOLUME = "root-volume"  # its root volume is replaced, and it stays a member
    NEVER_A_MEMBER = "never-a-member"  # it is in the warm pool or on its way there
    OBSERVED = "observed"  # Ringfence changes nothing in this Region
    PAUSED = "paused"  # an operator paused the Region
    NOT_ANSWERED = "not-answered"  # Auto Scaling did not accept the answer to the hook
