"""What every command gets besides its own arguments: the operator's AWS and the cluster file."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import typer

from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.quotas import rules_quotas
from ringfence_ops.aws.sessions import Aws, Unreachable
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
    _quotas: dict[Region, int | Unreachable] = field(default_factory=dict)

    def cluster(self) -> Cluster:
        """The cluster that the cluster file describes. Raises CommandError."""
        return cluster_file.read(self.path)

    def settings(self, cluster: Cluster) -> Mapping[Region, Settings]:
        """Each Region's settings. Raises CommandError where no Region answers."""
        with ThreadPoolExecutor(1) as pool:
            measured = pool.submit(self.measured, cluster)
            account = self.aws.account(cluster.region_names)
            cluster = measured.result()
        return {region: cluster.settings(region, account) for region in cluster.region_names}

    def measured(self, cluster: Cluster) -> Cluster:
        """The cluster with the account's quotas of rules, where the file does not say the quota.

        Raises CommandError where there are no credentials.
        """
        if cluster.says_quota:
            return cluster
        if missing := [region for region in cluster.region_names if not isinstance(self._quotas.get(region), int)]:
            self._quotas |= rules_quotas(self.aws, missing)
        return cluster.with_quotas({region: of for region, of in self._quotas.items() if isinstance(of, int)})

    @property
    def unread_quotas(self) -> Mapping[Region, str]:
        """The Regions whose quota `measured` could not read, each with the reason."""
        return {region: of.reason for region, of in self._quotas.items() if isinstance(of, Unreachable)}

    def expected(self, cluster: Cluster) -> Mapping[Region, Expected]:
        """What the cluster file says about each Region. Raises CommandError where no Region answers."""
        settings, measured = self.settings(cluster), self.measured(cluster)
        return {
            region: Expected(own, measured.parameters(region), knows_quota=measured.knows_quota(region))
            for region, own in settings.items()
        }


def command_run(context: typer.Context) -> CommandRun:
    """The run that a command is part of."""
    run = context.obj
    if not isinstance(run, CommandRun):
        raise TypeError("the command line has no CommandRun: it is set by `ringfence_ops.main`")
    return run
