"""EC2 does not describe a zone of a Region that is deployed in the lab: the engine and the command line."""

from pathlib import Path
from typing import Any

from tests.end_to_end.clusters import EAST, Cluster
from tests.labs import eventually
from tests.ops.commands import shell


def listed(cluster: Cluster) -> dict[str, Any]:
    """The instances of the eastern group, by their ids, as Auto Scaling lists them."""
    east = cluster.regions[EAST]
    described = east.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[east.auto_scaling_group])
    return {instance["InstanceId"]: instance for instance in described["AutoScalingGroups"][0]["Instances"]}


def test_a_launch_in_another_zone_is_admitted_and_nothing_of_the_failing_zone_is_called_gone(
    two_regions: Cluster, tmp_path: Path
) -> None:
    # given
    ((member, described),) = listed(two_regions).items()
    zone, address = described["AvailabilityZone"], two_regions.regions[EAST].instances()[member].address
    two_regions.lab.fault(EAST, f"zone={zone}", "ec2")
    # when
    two_regions.regions[EAST].scale_to(2)
    # then
    eventually(lambda: [one["LifecycleState"] for one in listed(two_regions).values()] == ["InService"] * 2)
    assert all(address in region.admitted() for region in two_regions.regions.values())
    assert any(line.get("zones_not_described") == [zone] for line in two_regions.log(EAST))
    # and the command line says what it does not know
    command = shell(two_regions, tmp_path)
    (east, _) = command.document("status")["regions"]
    assert (east["undescribed"], east["state"]) == ({member: zone}, "unknown")
    assert any(f"1 instance in {zone} that EC2 does not describe" in said for said in east["complaints"])
    assert "EC2 does not describe" in command.run("status").output
    assert command.document("plan")["changes"] == []
    assert "unknown" in command.document("explain", member)["unreachable"][EAST]
    assert f"{member}: in service, and EC2 does not describe it" in command.run("doctor").output
    # when
    two_regions.lab.heal()
    two_regions.regions[EAST].true_up()
    # then
    assert two_regions.agrees()
    assert command.document("status")["regions"][0]["undescribed"] == {}
