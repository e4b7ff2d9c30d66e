"""Judges the rows of a Region's table: those that cannot be trusted, and those that are of no group of the cluster.

Anyone with PutItem can write a row, so nothing of a row is taken for granted here. Pure.
"""

import json
import shlex
from collections.abc import Iterator, Mapping

from ringfence.core.model.identifiers import Region, RosterKey
from ringfence.core.model.rosters import Rows
from ringfence_ops.logs.json_values import NAME_LIMIT, text_of
from ringfence_ops.state.path import Expected
from ringfence_ops.state.standing import Reason, State

PART = "rows"


def row_reasons(rows: Rows, own: Expected, expected: Mapping[Region, Expected]) -> Iterator[Reason]:
    """What is wrong with the rows. `expected` has every Region of the cluster.

    A row of the cluster that cannot be trusted takes its group's members out of the engine's sight. Any other has no
    effect, and waits to be deleted.
    """
    for key in sorted(rows.versions()):
        name, is_ours = text_of(str(key), NAME_LIMIT), _is_of_cluster(key, expected)
        if key in rows.bad:
            state, why = State.FAILING if is_ours else State.WAITING, f"cannot be trusted: {rows.bad[key].reason}"
        elif not is_ours and rows.version_read(key) != 0:  # 0: the original sample's
            state, why = State.WAITING, "is of no group of the cluster"
        else:
            continue
        yield Reason(state, PART, f"the row {name} {why}", _fix(key, own, expected))


def _is_of_cluster(key: RosterKey, expected: Mapping[Region, Expected]) -> bool:
    if key.region not in expected:
        return False
    return key.is_announcement or key.asg in expected[key.region].settings.auto_scaling_groups


def _fix(key: RosterKey, own: Expected, expected: Mapping[Region, Expected]) -> str:
    """What removes the row. Its key is a text from outside: in a command for a shell, it is quoted."""
    if key.region in expected:
        return f"ringfence sync {key.region}"  # its engine replaces it, or deletes it once no Region has a rule for it
    name = json.dumps({"region": {"S": key.region}, "asg": {"S": key.asg}})
    return f"aws dynamodb delete-item --region {own.region} --table-name {own.name} --key {shlex.quote(name)}"
