"""Completion in the shell: the Regions of the cluster file.

Calls no AWS API. Prints nothing where the file cannot be read: a shell has no place for errors.
"""

import os
from pathlib import Path

from ringfence_ops.cluster.cluster_file import NAME, read
from ringfence_ops.errors import CommandError


def regions(incomplete: str) -> list[str]:
    """The Regions that begin with what is typed."""
    try:
        cluster = read(Path(os.environ.get("RINGFENCE_CLUSTER_FILE", NAME)))
    except CommandError:
        return []
    return [region for region in cluster.region_names if region.startswith(incomplete)]
