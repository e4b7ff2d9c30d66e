"""The labs of all tests, the marker of tests that need one, and how patient Hypothesis is.

Every test that uses one of the fixtures below, directly or through another fixture, carries the marker `lab`.
`pytest -m "not lab"` runs the others, which need no process of a lab.
"""

import pytest
from hypothesis import HealthCheck, settings

from tests.end_to_end.clusters import _two_regions, three_regions, two_regions
from tests.labs import cluster, empty_lab

__all__ = ["_two_regions", "cluster", "empty_lab", "three_regions", "two_regions"]

# No test is timed: on a busy machine an example takes many times as long.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

LAB_FIXTURES = frozenset(
    {"_two_regions", "account", "cluster", "empty_lab", "lab_world", "three_regions", "two_versions"}
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that use a lab."""
    for item in items:
        if isinstance(item, pytest.Function) and not LAB_FIXTURES.isdisjoint(item.fixturenames):
            item.add_marker(pytest.mark.lab)
