"""What every command gets besides its own arguments: the operator's AWS and the cluster file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import typer

from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cluster import cluster_file
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.state.path import Expected


@dataclass(slots=True)
class CommandRun:
    """One run of the command. `poll` is the number of seconds between two looks at a CloudFormation stack."""

    aws: Aws
    path: Path
    debug: bool = field(default=False, kw_only=True)
    poll: float = field(default=1.0, kw_only=True)

    def cluster(self) -> Cluster:
        """The cluster that the cluster file describes. Raises CommandError."""
        return cluster_file.read(self.path)

    def settings(self, cluster: Cluster) -> Mapping[Region, Settings]:
        """Each Region's settings. Raises CommandError where no Region answers."""
        account = self.aws.account(cluster.region_names)
        return {region: cluster.settings(region, account) for region in cluster.region_names}

    def expected(self, cluster: Cluster) -> Mapping[Region, Expected]:
        """What the cluster file says about each Region. Raises CommandError where no Region answers."""
        settings = self.settings(cluster)
        return {region: Expected(own, cluster.parameters(region)) for region, own in settings.items()}


def command_run(context: typer.Context) -> CommandRun:
    """The run that a command is part of."""
    run = context.obj
    if not isinstance(run, CommandRun):
        raise TypeError("the command line has no CommandRun: it is set by `ringfence_ops.main`")
    return run
