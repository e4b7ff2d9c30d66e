"""What is said about the quota of rules that a deployment passes to the stacks. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from ringfence.core.configuration.setting_table import DEFAULTS
from ringfence.core.model.identifiers import Region
from ringfence_ops.cluster.cluster_file import Cluster


def quota_notes(cluster: Cluster, unread: Mapping[Region, str], regions: Iterable[Region]) -> Iterator[str]:
    """A line for each of these Regions whose quota is not the default, or could not be read."""
    default = DEFAULTS["rules_quota"]
    for region in regions if not cluster.says_quota else ():
        quota = cluster.quotas.get(region)
        if quota is None:
            yield (
                f"{region}: the account's quota of rules in a security group could not be read"
                f" ({unread.get(region, 'not asked')}). RulesQuota is the default, {default}: if your quota is another,"
                f" write rules_quota in the cluster file"
            )
        elif quota != default:
            yield f"{region}: RulesQuota is {quota}, the account's quota of rules in a security group"
