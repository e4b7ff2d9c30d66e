"""What every command is given besides its own arguments: the operator's AWS and the cluster it is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cluster import cluster_file
from ringfence_ops.cluster.cluster_file import Cluster


@dataclass(slots=True)
class Invocation:
    """One run of the command. `poll` is how often CloudFormation is asked how far it is, in seconds."""

    aws: Aws
    path: Path
    debug: bool = False
    poll: float = 1.0

    def cluster(self) -> Cluster:
        """The cluster that the cluster file describes. Raises Refused."""
        return cluster_file.read(self.path)

    def settings(self, cluster: Cluster) -> Mapping[Region, Settings]:
        """Each Region's settings. Raises Refused where no Region answers."""
        account = self.aws.account(cluster.region_names)
        return {region: cluster.settings(region, account) for region in cluster.region_names}


def invocation(context: typer.Context) -> Invocation:
    """The run that a command is part of."""
    found = context.obj
    if not isinstance(found, Invocation):
        raise TypeError("the command line did not say what it runs with")
    return found
