"""The document of `ringfence dashboard --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class DashboardDocument:
    """What `ringfence dashboard --json` prints."""

    schema: Literal["ringfence.dashboard/1"] = field(default="ringfence.dashboard/1", init=False)
    """The name and version of this document."""
    name: str
    """The dashboard's name."""
    done: Literal["printed", "put", "deleted"]
    """What was done."""
    url: str
    """Where the console shows the dashboard."""
    complaints: Sequence[str]
    """What CloudWatch says is wrong with the body; empty if it was not put."""
    body: Mapping[str, Any]
    """The body of the dashboard, as CloudWatch's `PutDashboard` takes it."""
