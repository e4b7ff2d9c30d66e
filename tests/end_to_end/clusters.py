"""Clusters on a lab, with the real stack and its real Lambda, for the end-to-end tests."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.observer import Observer
from tests.labs import eventually

EAST, WEST, SOUTH = "us-east-1", "us-west-2", "ap-southeast-2"

RELEASE_DEADLINE = 4
"""Seconds for which these stacks hold a termination for a peer that fails."""

UNFENCED = 150.0
"""Seconds within which an instance leaves whose rules are so new that its release needs a second look: a minute, and
the next true-up."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A lab with the stack in all of its Regions."""

    lab: Lab
    regions: Mapping[str, Observer]

    def members(self) -> set[str]:
        """The addresses of all instances in service."""
        return {
            instance.address
            for region in self.regions.values()
            for instance in region.instances().values()
            if instance.lifecycle_state == "InService" and instance.address
        }

    def agrees(self, besides: frozenset[str] = frozenset()) -> bool:
        """Whether every Region's group admits exactly the members, and the addresses in `besides`."""
        wanted = self.members() | besides
        return all(region.admitted() == wanted for region in self.regions.values())

    def settle(self, **sizes: int) -> None:
        """Removes faults, scales the groups to these sizes (default 1), and waits until the security groups follow."""
        self.lab.heal()
        for name in self.regions:
            self._scale_to(name, sizes.get(name, 1))
        eventually(lambda: all(self.is_settled(name, sizes.get(name, 1)) for name in self.regions), UNFENCED)
        for _ in range(2):
            for region in self.regions.values():
                region.true_up()
        eventually(self.agrees, 30)

    def is_settled(self, region: str, size: int) -> bool:
        """Whether so many instances are in service in the Region, and no others exist."""
        states = [instance.lifecycle_state for instance in self.regions[region].instances().values()]
        return states == ["InService"] * size

    def scale(self, region: str, size: int) -> None:
        """Scales a group, and waits for it."""
        self._scale_to(region, size)
        eventually(lambda: self.is_settled(region, size), UNFENCED)

    def _scale_to(self, region: str, size: int) -> None:
        """Scales a group. The members are old, so that those that leave wait for no second look."""
        if len(self.regions[region].instances()) > size:
            self.regions[region].let_members_age()
        self.regions[region].scale_to(size)

    def log(self, region: str) -> list[dict[str, Any]]:
        """The engine's log lines in a Region."""
        group = f"/aws/lambda/{self.regions[region].function}"
        events = self.regions[region].client("logs").filter_log_events(logGroupName=group)["events"]
        lines = [event["message"] for event in events]
        return [json.loads(line) for line in lines if line.startswith("{")]


def deployed(*regions: str) -> Iterator[Cluster]:
    """A cluster in these Regions."""
    with Lab(regions=list(regions), parameters={"ReleaseDeadline": str(RELEASE_DEADLINE)}) as lab:
        observers = {}
        for region in regions:
            deployed_region = lab.deploy(region)
            observers[region] = Observer(
                lab.endpoint_url,
                region,
                deployed_region.auto_scaling_group,
                deployed_region.security_group,
                deployed_region.function,
            )
        yield Cluster(lab, observers)


@pytest.fixture(scope="session")
def _two_regions() -> Iterator[Cluster]:
    yield from deployed(EAST, WEST)


@pytest.fixture
def two_regions(_two_regions: Cluster) -> Cluster:
    """Two Regions with one member each, in sync."""
    _two_regions.settle()
    return _two_regions


@pytest.fixture(scope="session")
def three_regions() -> Iterator[Cluster]:
    """Three Regions without members."""
    yield from deployed(EAST, WEST, SOUTH)
