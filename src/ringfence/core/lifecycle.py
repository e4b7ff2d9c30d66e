"""The lifecycle states of Auto Scaling, and what each means for membership.

Pure. The states are one table: a new state is a new row, not a new branch.

Sources: Amazon EC2 Auto Scaling User Guide, "Instance lifecycle", "Warm pool instance lifecycle" and "Replace root
volumes during instance refresh"; the API's `LifecycleState`, which has all of these states and no others.
"""

from enum import Enum


class Phase(Enum):
    """What a lifecycle state means for the security groups."""

    JOINING = "joining"  # on its way into service: admit it
    SERVING = "serving"  # a node of the cluster; an instance in standby is one too, it still runs at its address
    REPLACING = "replacing"  # its root volume is replaced: it stays a node and keeps its addresses
    LEAVING = "leaving"  # on its way out, or handed back to its owner: release it
    WARM = "warm"  # in a warm pool or on its way there: not a member
    UNKNOWN = "unknown"  # a state that this table does not have: what was known of the instance stays


class Transition(Enum):
    """The two transitions that a lifecycle hook can hold."""

    LAUNCH = "autoscaling:EC2_INSTANCE_LAUNCHING"
    TERMINATE = "autoscaling:EC2_INSTANCE_TERMINATING"


class HookResult(Enum):
    """The answer to a waiting hook."""

    CONTINUE = "CONTINUE"
    ABANDON = "ABANDON"


PHASES: dict[str, Phase] = {
    "Pending": Phase.JOINING,
    "Pending:Wait": Phase.JOINING,
    "Pending:Proceed": Phase.JOINING,
    "Quarantined": Phase.SERVING,
    "InService": Phase.SERVING,
    "EnteringStandby": Phase.SERVING,
    "Standby": Phase.SERVING,
    "ReplacingRootVolume": Phase.REPLACING,
    "ReplacingRootVolume:Wait": Phase.REPLACING,
    "ReplacingRootVolume:Proceed": Phase.REPLACING,
    "RootVolumeReplaced": Phase.REPLACING,
    "Terminating": Phase.LEAVING,
    "Terminating:Wait": Phase.LEAVING,
    "Terminating:Proceed": Phase.LEAVING,
    "Terminating:Retained": Phase.LEAVING,
    "Terminated": Phase.LEAVING,
    "Detaching": Phase.LEAVING,
    "Detached": Phase.LEAVING,
    "Warmed:Pending": Phase.WARM,
    "Warmed:Pending:Wait": Phase.WARM,
    "Warmed:Pending:Proceed": Phase.WARM,
    "Warmed:Pending:Retained": Phase.WARM,
    "Warmed:Running": Phase.WARM,
    "Warmed:Stopped": Phase.WARM,
    "Warmed:Hibernated": Phase.WARM,
    "Warmed:Terminating": Phase.WARM,
    "Warmed:Terminating:Wait": Phase.WARM,
    "Warmed:Terminating:Proceed": Phase.WARM,
    "Warmed:Terminating:Retained": Phase.WARM,
    "Warmed:Terminated": Phase.WARM,
}

INTO_THE_POOL = "Warmed:Pending:Wait"
"""The state in which an instance waits on its way into a warm pool, from EC2 or from its group."""

# The states in which a hook waits, and the transitions that can lead there. An instance enters a warm pool by launching
# (from EC2) or by terminating (from the group). The state alone does not tell which. The replacement of a root volume
# waits in the termination hook, and then in the launch hook, in `Pending:Wait`.
WAITING: dict[str, tuple[Transition, ...]] = {
    "Pending:Wait": (Transition.LAUNCH,),
    "Terminating:Wait": (Transition.TERMINATE,),
    "ReplacingRootVolume:Wait": (Transition.TERMINATE,),
    INTO_THE_POOL: (Transition.LAUNCH, Transition.TERMINATE),
    "Warmed:Terminating:Wait": (Transition.TERMINATE,),
}


def phase_of(state: str) -> Phase:
    """The phase of a `LifecycleState` of DescribeAutoScalingGroups or DescribeWarmPool."""
    return PHASES.get(state, Phase.UNKNOWN)
