"""What a shell offers while an operator types: the Regions of the cluster file.

Asks nothing of AWS, and says nothing where there is no file to read: a shell has no place for errors.
"""

import os
from pathlib import Path

from ringfence_ops.aws.errors import CommandError
from ringfence_ops.cluster.cluster_file import NAME, read


def regions(incomplete: str) -> list[str]:
    """Those that begin with what is typed."""
    try:
        cluster = read(Path(os.environ.get("RINGFENCE_CLUSTER_FILE", NAME)))
    except CommandError:
        return []
    return [region for region in cluster.region_names if region.startswith(incomplete)]
