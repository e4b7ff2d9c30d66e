"""Three Regions, additional groups, and a Region that leaves and returns."""

from tests.end_to_end.clusters import EAST, SOUTH, WEST, Cluster
from tests.labs import eventually


def test_three_regions_admit_one_another(three_regions: Cluster) -> None:
    three_regions.settle(**{EAST: 2, WEST: 1, SOUTH: 1})
    three_regions.scale(SOUTH, 3)
    three_regions.scale(EAST, 0)
    eventually(three_regions.agrees)
    assert len(three_regions.members()) == 4


def test_one_failed_region_does_not_affect_the_other_two(three_regions: Cluster) -> None:
    # given
    three_regions.settle(**{EAST: 1, WEST: 1, SOUTH: 1})
    three_regions.lab.fault(SOUTH, "hang")
    # when
    three_regions.scale(EAST, 2)
    # then
    east, west = (three_regions.regions[name] for name in (EAST, WEST))
    new = {instance.address for instance in east.instances().values()}
    assert new <= east.admitted()
    assert new <= west.admitted()
    # when
    three_regions.lab.heal()
    east.true_up()
    # then
    eventually(three_regions.agrees)


def test_an_update_of_the_stack_adds_hooks_for_an_additional_group(three_regions: Cluster) -> None:
    # given
    three_regions.settle(**{EAST: 1, WEST: 1, SOUTH: 1})
    east = three_regions.regions[EAST]
    scaling, cloudformation = east.client("autoscaling"), east.client("cloudformation")
    (first,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[east.auto_scaling_group])[
        "AutoScalingGroups"
    ]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="seed-nodes",
        MinSize=0,
        MaxSize=3,
        LaunchTemplate={key: first["LaunchTemplate"][key] for key in ("LaunchTemplateId", "Version")},
        VPCZoneIdentifier=first["VPCZoneIdentifier"],
    )
    (stack,) = cloudformation.describe_stacks(StackName="ringfence-demo")["Stacks"]
    template = cloudformation.get_template(StackName="ringfence-demo", TemplateStage="Original")["TemplateBody"]
    parameters = [
        {"ParameterKey": parameter["ParameterKey"], "ParameterValue": f"{east.auto_scaling_group},seed-nodes"}
        if parameter["ParameterKey"] == "AutoScalingGroups"
        else {"ParameterKey": parameter["ParameterKey"], "UsePreviousValue": True}
        for parameter in stack["Parameters"]
    ]
    # when
    cloudformation.update_stack(
        StackName="ringfence-demo",
        TemplateBody=template,
        Parameters=parameters,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName="ringfence-demo", WaiterConfig={"Delay": 1})
    # then
    hooks = scaling.describe_lifecycle_hooks(AutoScalingGroupName="seed-nodes")["LifecycleHooks"]
    assert {hook["LifecycleHookName"] for hook in hooks} == {"ringfence-demo-launch", "ringfence-demo-terminate"}
    # when
    scaling.set_desired_capacity(AutoScalingGroupName="seed-nodes", DesiredCapacity=1)

    def seed_address() -> str | None:
        (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["seed-nodes"])["AutoScalingGroups"]
        serving = [
            instance["InstanceId"] for instance in group["Instances"] if instance["LifecycleState"] == "InService"
        ]
        return next(iter(east.addresses(serving).values()), None)

    seed = eventually(seed_address)
    # then
    assert all(seed in region.admitted() for region in three_regions.regions.values())
    # finally
    scaling.set_desired_capacity(AutoScalingGroupName="seed-nodes", DesiredCapacity=0)
    eventually(three_regions.agrees)


def test_a_stack_can_be_deleted_and_deployed_again(three_regions: Cluster) -> None:
    # given
    three_regions.settle(**{EAST: 1, WEST: 2, SOUTH: 1})
    west = three_regions.regions[WEST]
    cloudformation = west.client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName="ringfence-demo")["Stacks"]
    template = cloudformation.get_template(StackName="ringfence-demo", TemplateStage="Original")["TemplateBody"]
    parameters = [
        {key: parameter[key] for key in ("ParameterKey", "ParameterValue")} for parameter in stack["Parameters"]
    ]
    # when
    cloudformation.delete_stack(StackName="ringfence-demo")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="ringfence-demo", WaiterConfig={"Delay": 1})
    # then the other Regions continue, and still admit its members
    three_regions.scale(EAST, 2)
    assert three_regions.members() <= three_regions.regions[SOUTH].admitted()
    # when
    cloudformation.create_stack(
        StackName="ringfence-demo",
        TemplateBody=template,
        Parameters=parameters,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName="ringfence-demo", WaiterConfig={"Delay": 1})
    for _ in range(3):
        for region in three_regions.regions.values():
            region.true_up()
    # then
    assert three_regions.agrees()
    # when
    three_regions.scale(WEST, 3)
    # then
    assert three_regions.agrees()
