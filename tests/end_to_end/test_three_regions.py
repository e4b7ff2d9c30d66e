"""Three Regions, further groups, and a Region that leaves and comes back."""

from tests.end_to_end.clusters import EAST, SOUTH, WEST, Cluster
from tests.labs import eventually


def test_three_regions_admit_one_another(three_regions: Cluster) -> None:
    three_regions.settle(**{EAST: 2, WEST: 1, SOUTH: 1})
    three_regions.scale(SOUTH, 3)
    three_regions.scale(EAST, 0)
    eventually(three_regions.agrees)
    assert len(three_regions.members()) == 4


def test_one_region_that_is_down_leaves_the_other_two_in_order(three_regions: Cluster) -> None:
    # given
    three_regions.settle(**{EAST: 1, WEST: 1, SOUTH: 1})
    three_regions.lab.fault(SOUTH, "hang")
    # when
    three_regions.scale(EAST, 2)
    # then
    east, west = (three_regions.regions[name] for name in (EAST, WEST))
    new = {one.address for one in east.instances().values()}
    assert new <= east.admitted()
    assert new <= west.admitted()
    # when
    three_regions.lab.heal()
    east.true_up()
    # then
    eventually(three_regions.agrees)


def test_a_further_group_gets_hooks_of_its_own_by_an_update_of_the_stack(three_regions: Cluster) -> None:
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
        {"ParameterKey": each["ParameterKey"], "ParameterValue": f"{east.auto_scaling_group},seed-nodes"}
        if each["ParameterKey"] == "AutoScalingGroups"
        else {"ParameterKey": each["ParameterKey"], "UsePreviousValue": True}
        for each in stack["Parameters"]
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
        serving = [one["InstanceId"] for one in group["Instances"] if one["LifecycleState"] == "InService"]
        return next(iter(east.addresses(serving).values()), None)

    seed = eventually(seed_address)
    # then
    assert all(seed in region.admitted() for region in three_regions.regions.values())
    # finally
    scaling.set_desired_capacity(AutoScalingGroupName="seed-nodes", DesiredCapacity=0)
    eventually(three_regions.agrees)


def test_a_stack_that_is_deleted_and_deployed_again_just_works(three_regions: Cluster) -> None:
    # given
    three_regions.settle(**{EAST: 1, WEST: 2, SOUTH: 1})
    west = three_regions.regions[WEST]
    cloudformation = west.client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName="ringfence-demo")["Stacks"]
    template = cloudformation.get_template(StackName="ringfence-demo", TemplateStage="Original")["TemplateBody"]
    parameters = [{key: each[key] for key in ("ParameterKey", "ParameterValue")} for each in stack["Parameters"]]
    # when
    cloudformation.delete_stack(StackName="ringfence-demo")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="ringfence-demo", WaiterConfig={"Delay": 1})
    # then the others go on, and admit its members still
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
