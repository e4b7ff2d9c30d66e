"""The steps of an instance before and after a lifecycle hook, through the API."""

from tests.lab.aws.emulated import LAUNCHING, TERMINATING, EmulatedAws


def test_the_states_around_a_wait_last_as_configured(aws: EmulatedAws) -> None:
    aws.install(step_seconds=5)
    aws.create_group()
    aws.put_hook("admit", LAUNCHING)
    seen = []

    aws.scale_to(1)
    instance_id = aws.only_instance()
    seen.append(aws.states()[instance_id])
    aws.clock.advance(5)
    seen.append(aws.states()[instance_id])
    aws.complete("admit", instance_id)
    seen.append(aws.states()[instance_id])
    aws.clock.advance(5)
    seen.append(aws.states()[instance_id])

    assert seen == ["Pending", "Pending:Wait", "Pending:Proceed", "InService"]


def test_a_late_step_does_not_revive_a_finished_journey(aws: EmulatedAws) -> None:
    aws.install(step_seconds=5)
    aws.create_group()
    aws.put_hook("release", TERMINATING)
    aws.scale_to(1)
    instance_id = aws.only_instance()

    # The step of the launch is due while the instance already terminates.
    aws.clock.advance(2)
    aws.scale_to(0)
    aws.clock.advance(3)
    between = aws.states()
    aws.clock.advance(2)

    assert between == {instance_id: "Terminating"}
    assert aws.states() == {instance_id: "Terminating:Wait"}


def test_an_abandoned_termination_keeps_the_instance_if_the_policy_says_so(aws: EmulatedAws) -> None:
    policy = {"RetentionTriggers": {"TerminateHookAbandon": "retain"}}
    aws.create_group(DesiredCapacity=1, InstanceLifecyclePolicy=policy)
    aws.put_hook("release", TERMINATING)
    instance_id = aws.only_instance()
    aws.scale_to(0)

    aws.complete("release", instance_id, "ABANDON")
    retained = aws.states()
    aws.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=instance_id, ShouldDecrementDesiredCapacity=False
    )

    assert retained == {instance_id: "Terminating:Retained"}
    assert aws.states() == {}
    (group,) = aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert group["InstanceLifecyclePolicy"] == policy
