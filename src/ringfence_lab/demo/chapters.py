"""The demo: runs a cluster through its life in a lab, and checks each step through the AWS APIs as it is shown.

It knows the lab and the cluster from outside. It must not know the inside of the engine. Every statement is measured.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.demo_script import DemoScript, View
from ringfence_lab.demo.departure import DepartureWatch
from ringfence_lab.demo.observer import Observer, wait_until

FIRST, SECOND = "us-east-1", "us-west-2"
FOREIGN_ADDRESS = "203.0.113.7"
"""The address of an operator's own rule. Source: RFC 5737, TEST-NET-3."""
PATIENCE = 20.0
"""Seconds after which a check fails."""


@dataclass(slots=True)
class Demo:
    """The demo, in a running lab with an empty account."""

    lab: Lab
    script: DemoScript

    def play(self) -> bool:
        """Runs every chapter. Returns whether all checks passed."""
        first = self.one_region()
        second = self.two_regions(first)
        self.out_and_in(first, second)
        self.burst(first, second)
        self.region_hangs(first, second)
        self.repairs(first, second)
        return self.script.end()

    def deploy(self, region: str) -> Observer:
        """Deploys a Region's prerequisites and stack."""
        started = time.monotonic()
        deployed = self.lab.deploy(region)
        self.script.note(f"deployed {region} in {time.monotonic() - started:.1f} s: stack {deployed.stack}")
        return Observer(
            self.lab.endpoint_url, region, deployed.auto_scaling_group, deployed.security_group, deployed.function
        )

    def one_region(self) -> Observer:
        """Chapter 1."""
        self.script.chapter(f"{FIRST} alone: the first launch")
        first = self.deploy(FIRST)
        _write_foreign_rule(first)
        first.scale_to(1)
        self.script.check_within(
            5,
            "a lifecycle hook holds the instance in Pending:Wait",
            lambda: any(instance.lifecycle_state == "Pending:Wait" for instance in first.instances().values()),
        )
        self._check_admitted(first, [first], 1)
        return first

    def two_regions(self, first: Observer) -> Observer:
        """Chapter 2."""
        self.script.chapter(f"{SECOND} joins: both admit all members")
        second = self.deploy(SECOND)
        _write_foreign_rule(second)
        second.scale_to(1)
        self._check_admitted(second, [first, second], 1)
        self.script.note(
            "each Region finds the other Region's members in its next true-up, every minute; the demo invokes it now"
        )
        first.true_up(), second.true_up()
        self._check_equal(first, second)
        return second

    def out_and_in(self, first: Observer, second: Observer) -> None:
        """Chapter 3."""
        self.script.chapter("Both Regions scale: the rules follow")
        first.scale_to(2)
        self._check_admitted(first, [first, second], 2)
        second.scale_to(2)
        self._check_admitted(second, [first, second], 2)
        for region in (first, second):
            before = region.instances()
            region.scale_to(1)
            leaving = self._leaving(region, before)
            if leaving is None:
                continue
            with DepartureWatch([first, second], region, leaving, before[leaving].address or "") as watch:
                pass
            departure = watch.departure
            address = before[leaving].address
            self.script.check(
                f"{address} is removed from every group",
                passed=departure.closed is not None,
                seconds=departure.closed,
            )
            self.script.check(
                f"only then {leaving} terminates and releases its address",
                passed=departure.closed_first,
                seconds=departure.gone,
            )
        self._check_equal(first, second)

    def burst(self, first: Observer, second: Observer) -> None:
        """Chapter 4."""
        self.script.chapter("A burst of eight launches")
        before = len(first.instances())
        self.lab.clear_calls()
        first.scale_to(before + 8)
        self._check_admitted(first, [first, second], before + 8)
        time.sleep(0.5)  # the engine still reads after the last answer
        calls = self.lab.engine_calls(FIRST)
        reconciles = len({call.cause for call in calls})
        took = "one reconcile" if reconciles == 1 else f"{reconciles} reconciles"
        self.script.check(
            f"eight launches took {took} and {len(calls)} API calls, {len(calls) / 8:.1f} per launch",
            passed=0 < reconciles <= 8 and len(calls) <= 8 * 12,
        )
        first.scale_to(before)
        self.script.check_within(
            PATIENCE,
            "all eight instances terminate, and their rules are removed",
            lambda: len(first.instances()) == before and _agree(first, second),
        )

    def region_hangs(self, first: Observer, second: Observer) -> None:
        """Chapter 5."""
        self.script.chapter(f"{SECOND} hangs: {FIRST} does not wait")
        self.lab.fault(SECOND, "hang")
        try:
            before = first.instances()
            first.scale_to(len(before) + 1)
            self._check_admitted(first, [first], len(before) + 1, within=10)
            before = first.instances()
            first.scale_to(len(before) - 1)
            leaving = self._leaving(first, before)
            address = before[leaving].address if leaving else None
            self.script.check_within(
                10, f"{address} is in no group of {FIRST}", lambda: address not in first.admitted()
            )
            deadline = self.lab.release_deadline
            self.script.note(
                f"{SECOND} may still admit {address}, so the hook holds {leaving} for the release deadline"
                f" ({deadline} s here), then continues"
            )
            time.sleep(deadline)
            first.true_up()
            self.script.check_within(10, f"{leaving} terminates", lambda: leaving not in first.instances())
        finally:
            self.lab.heal(SECOND)
        first.true_up()
        self.script.check_within(PATIENCE, f"{SECOND} recovers and catches up", lambda: _agree(first, second))

    def repairs(self, first: Observer, second: Observer) -> None:
        """Chapter 6."""
        self.script.chapter("A true-up repairs changes without events")
        self._attach_by_hand(first)
        owned = next(rule for rule in second.rules() if rule["CidrIpv4"].partition("/")[0] != FOREIGN_ADDRESS)
        second.client("ec2").revoke_security_group_ingress(
            GroupId=second.security_group, SecurityGroupRuleIds=[owned["SecurityGroupRuleId"]]
        )
        deleted = not _agree(first, second)
        self.script.check(f"the rule for {owned['CidrIpv4']} in {SECOND} is deleted by hand", passed=deleted)
        started = time.monotonic()
        first.true_up(), second.true_up()
        agreed, took = _agree(first, second), time.monotonic() - started
        self.script.check("a true-up in each Region repairs both changes", passed=agreed, seconds=took)
        untouched = all(FOREIGN_ADDRESS in region.admitted() for region in (first, second))
        self.script.check(f"the operator's own rule for {FOREIGN_ADDRESS} is unchanged", passed=untouched)

    def _attach_by_hand(self, region: Observer) -> None:
        """Launches an instance outside of the group, and attaches it."""
        ec2, scaling = region.client("ec2"), region.client("autoscaling")
        group = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[region.auto_scaling_group])
        described = group["AutoScalingGroups"][0]
        template = described["LaunchTemplate"]
        launched = ec2.run_instances(
            MinCount=1,
            MaxCount=1,
            LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"], "Version": template["Version"]},
            SubnetId=described["VPCZoneIdentifier"].split(",")[0],
        )
        id = launched["Instances"][0]["InstanceId"]
        scaling.attach_instances(InstanceIds=[id], AutoScalingGroupName=region.auto_scaling_group)
        self.script.note(f"{id} is attached to {region.auto_scaling_group} by hand")

    def _check_admitted(self, home: Observer, regions: list[Observer], count: int, within: float = PATIENCE) -> None:
        """Checks that so many instances come into service, none before every given Region admits it."""
        early: set[str] = set()

        def in_service() -> bool:
            instances = home.instances().values()
            serving = [instance for instance in instances if instance.lifecycle_state == "InService"]
            admitted = [region.admitted() for region in regions]
            early.update(
                instance.id for instance in serving if any(instance.address not in addresses for addresses in admitted)
            )
            return len(serving) == count

        names = " and ".join(region.region for region in regions)
        self.script.check_within(within, f"{home.region}: {count} InService", in_service)
        self.script.check(f"no instance was InService before its rule was in {names}", passed=not early)

    def _check_equal(self, first: Observer, second: Observer) -> None:
        self.script.check_within(
            PATIENCE, "both groups admit exactly the members of both Regions", lambda: _agree(first, second)
        )

    def _leaving(self, region: Observer, before: Iterable[str]) -> str | None:
        """The instance that terminates."""
        found: list[str] = []

        def leaving() -> bool:
            now = region.instances()
            found[:] = [id for id in before if id not in now or now[id].lifecycle_state.startswith("Terminating")]
            return bool(found)

        seconds = wait_until(leaving, 5)
        text = f"{region.region}: a lifecycle hook holds an instance in Terminating:Wait"
        self.script.check(text, passed=bool(found), seconds=seconds)
        return found[0] if found else None


def _agree(first: Observer, second: Observer) -> bool:
    """Whether the groups of both Regions admit exactly the members of both, and the operator's own address."""
    members = {
        instance.address
        for region in (first, second)
        for instance in region.instances().values()
        if not instance.lifecycle_state.startswith("Terminating")
    }
    return first.admitted() == second.admitted() == members | {FOREIGN_ADDRESS}


def _write_foreign_rule(region: Observer) -> None:
    region.client("ec2").authorize_security_group_ingress(
        GroupId=region.security_group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": f"{FOREIGN_ADDRESS}/32", "Description": "added by hand by an operator"}],
            }
        ],
    )


PARAMETERS = {"ReleaseDeadline": "5"}
"""A short deadline, so that the demo does not wait for five minutes."""


def play(view: View) -> bool:
    """Runs the demo in a new lab. Returns whether all checks passed. Raises LabError, BuildFailed."""
    with Lab(regions=[FIRST, SECOND], parameters=PARAMETERS) as lab:
        return Demo(lab, DemoScript(view)).play()
