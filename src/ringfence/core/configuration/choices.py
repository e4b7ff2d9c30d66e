"""What an operator chooses among, where a setting is one of a few words.

Pure. Knows neither the settings that use these choices nor where their values come from.
"""

from enum import Enum


class Mode(Enum):
    """What Ringfence may change."""

    OBSERVE = "observe"  # nothing: it reports what it would do, and holds no instance
    OWNED = "owned"  # its own rules only
    MIRROR = "mirror"  # on the managed ports, any CIDR that is not a member's: what the original sample did


class PrivateAddresses(Enum):
    """Which private IPv4 addresses of an instance are admitted, where the cluster uses private addresses."""

    ALL = "all"  # also the secondary ones, of which a node of a container cluster can have dozens
    PRIMARY = "primary"  # only the instance's own


class NoAddress(Enum):
    """What happens to a launching instance that has no address of a configured kind when its wait is over."""

    CONTINUE = "continue"
    ABANDON = "abandon"
