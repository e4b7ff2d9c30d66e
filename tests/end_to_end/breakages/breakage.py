"""A breakage: what it is, and how one of the east's resources becomes one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from ringfence_lab.demo.observer import Observer
from tests.end_to_end.clusters import EAST, Cluster

NAME = "ringfence-demo"
Breakage = Callable[[Cluster], Any]


def in_east(broken: Callable[[Observer], Iterator[None]]) -> Breakage:
    """A breakage of the east's resources: a generator that breaks, yields, and heals."""
    manager = contextmanager(broken)

    @wraps(broken)
    def of_cluster(cluster: Cluster) -> Any:
        return manager(cluster.regions[EAST])

    return of_cluster


def fault(region: str, kind: str, service: str | None = None) -> Breakage:
    """A fault of the lab."""

    @contextmanager
    def set_fault(cluster: Cluster) -> Iterator[None]:
        cluster.lab.fault(region, kind, service)
        yield
        cluster.lab.heal()
        for observer in cluster.regions.values():
            observer.true_up()

    return set_fault
