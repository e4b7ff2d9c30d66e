"""Checks the properties on every change of a cloud, as the change is made.

If two invocations overlap, one that read an older roster can restore a rule for a moment, because security groups
have no conditional writes. The checks allow that only while the author of the rule still runs, or after it was killed.
"""

from collections.abc import Mapping

from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import Region
from ringfence_lab.sim.aws.history import CloudChange
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.properties.catalogue import CHECKS
from ringfence_lab.sim.properties.context import CheckContext
from ringfence_lab.sim.properties.remember import remember
from ringfence_lab.sim.properties.violation import Violation


class Checker:
    """Watches a cloud. `violations` are in the order in which they were found."""

    def __init__(self, cloud: Cloud, settings: Mapping[Region, Settings]) -> None:
        self.context = CheckContext(cloud, settings)
        self.violations: list[Violation] = []

    def watch(self, change: CloudChange) -> None:
        """Checks a change, then remembers it."""
        for check in CHECKS.get(type(change), ()):
            for what in check(self.context, change):
                self.violations.append(Violation(check.__name__, what))
        remember(self.context, change)
