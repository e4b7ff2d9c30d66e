"""Deletes the rows in our Region's key range that are of none of its groups, once nothing depends on them.

Calls interfaces. Such a row is a retired group's, or another caller wrote it. First its rules go, because no
announcement lists it. An engine of version 0.1 needs the row for that, so a row goes only when no Region has a rule
for it.
"""

from collections.abc import Mapping

from ringfence.core.audit_events import Problem
from ringfence.core.errors import Conflict, RingfenceError
from ringfence.core.model.identifiers import Region, RosterKey
from ringfence.core.model.rosters import Rows
from ringfence.core.region_result import RegionResult
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.request import Request
from ringfence.reconciler.table_rows import strange_rows


def delete_strange_rows(
    request: Request, services: Services, rows: Rows, results: Mapping[Region, RegionResult]
) -> None:
    """Deletes rows at home, and then, in later reconciles, what is left of them in the peers."""
    at_home = strange_rows(request, rows)
    for key in at_home:
        is_clean = all(_is_clean(result, key) for result in results.values())
        if _is_unreadable(request, key) or (is_clean and not _is_needed(key, rows)):
            _delete(services, request.home, key, rows)
    for region in request.settings.peers:
        there = results[region].rows or Rows()
        for key in strange_rows(request, there, rows.of(request.home)):
            if key not in at_home and (_is_unreadable(request, key) or _is_clean(results[region], key)):
                _delete(services, region, key, there)


def _is_unreadable(request: Request, key: RosterKey) -> bool:
    """Whether the strange row is of a group of ours, and so unreadable: nothing can be known from it."""
    return key.asg in request.settings.auto_scaling_groups


def _is_needed(key: RosterKey, rows: Rows) -> bool:
    """Whether the row still has members, or releases that a peer has not confirmed."""
    roster = rows.rosters.get(key)
    return roster is not None and bool(roster.members or roster.pending_releases)


def _is_clean(result: RegionResult, key: RosterKey) -> bool:
    """Whether it is known that the Region has no rule for the roster."""
    return result.error is None and result.rows is not None and key not in result.labelled


def _delete(services: Services, region: Region, key: RosterKey, rows: Rows) -> None:
    try:
        services.regions[region].table.delete(key, rows.version_read(key))
    except Conflict:
        pass  # another invocation wrote it: the next reconcile looks again
    except RingfenceError as error:
        services.audit(Problem(f"the row {key} in {region}, which is of no group of ours, was not deleted: {error}"))
