"""The engine's services are assembled from clients of the right service and Region."""

from ringfence.aws.assembly import home_services, region_services, table_name, worker_threads
from ringfence.aws.auto_scaling import AwsAutoScaling
from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.core.model.identifiers import Region
from tests.unit.builders import EAST, WEST


def client_of(service: str, region: Region) -> str:
    return f"{service} in {region}"


def test_each_service_gets_the_client_of_its_region() -> None:
    home, peer = home_services(client_of, EAST), region_services(client_of, WEST, table_name("demo"))
    assert home.auto_scaling == AwsAutoScaling(client_of("autoscaling", EAST), EAST)  # type: ignore[arg-type]  # a name
    assert home.instances == AwsInstances(client_of("ec2", EAST), EAST)  # type: ignore[arg-type]  # likewise
    assert peer.table == AwsRosterTable(client_of("dynamodb", WEST), WEST, "ringfence-demo")  # type: ignore[arg-type]  # likewise
    assert peer.security_groups == AwsSecurityGroups(client_of("ec2", WEST), WEST)  # type: ignore[arg-type]  # likewise


def test_there_is_a_thread_for_each_task_of_a_reconcile() -> None:
    with worker_threads(3) as pool:
        assert pool._max_workers == 2 * 3 + 14
