"""The demo: plays the whole story on a lab, and checks each step through the AWS APIs as it is shown.

Knows the lab and what a cluster is; knows nothing of the engine's inside. Everything claimed is measured.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.demo_script import Story, View
from ringfence_lab.demo.observer import Observer, wait_until

FIRST, SECOND = "us-east-1", "us-west-2"
FOREIGN_ADDRESS = "203.0.113.7"
"""Stands for an operator's own rule. Source: RFC 5737, TEST-NET-3."""
PATIENCE = 20.0
"""Seconds after which what should have happened has not."""


@dataclass(frozen=True, slots=True)
class Departure:
    """How an instance left: seconds until its address was in no group, and until the instance was gone."""

    closed: float | None
    gone: float | None
    closed_first: bool


class Watch:
    """Watches addresses and instances from threads, as fast as the lab answers."""

    def __init__(self, regions: Iterable[Observer], home: Observer, instance: str, address: str) -> None:
        self._regions, self._home = list(regions), home
        self._instance, self._address = instance, address
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._result = Departure(None, None, closed_first=False)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE + 5)

    def _run(self) -> None:
        """First whether the instance is gone, then the rules: an address seen there was there when it was gone."""
        started, closed = time.monotonic(), None
        while time.monotonic() - started < PATIENCE:
            gone = self._instance not in self._home.instances()
            admitted = any(self._address in region.admitted() for region in self._regions)
            elapsed = time.monotonic() - started
            if not admitted and closed is None:
                closed = elapsed
            if gone:
                self._result = Departure(closed, elapsed, closed_first=not admitted)
                return
            time.sleep(0.01)
        self._result = Departure(closed, None, closed_first=False)

    @property
    def departure(self) -> Departure:
        """What was seen, once the watch is over."""
        return self._result


@dataclass(slots=True)
class Demo:
    """The story, on a lab that runs but has nothing deployed."""

    lab: Lab
    story: Story

    def play(self) -> bool:
        """Plays every chapter. Returns whether every claim held."""
        first = self.one_region()
        second = self.two_regions(first)
        self.out_and_in(first, second)
        self.burst(first, second)
        self.region_hangs(first, second)
        self.repairs(first, second)
        return self.story.end()

    def deploy(self, region: str) -> Observer:
        """Deploys a Region's prerequisites and stack."""
        started = time.monotonic()
        deployed = self.lab.deploy(region)
        self.story.note(f"deployed {region} in {time.monotonic() - started:.1f} s: stack {deployed.stack}")
        return Observer(
            self.lab.endpoint_url, region, deployed.auto_scaling_group, deployed.security_group, deployed.function
        )

    def one_region(self) -> Observer:
        """Chapter 1."""
        self.story.chapter(f"{FIRST} alone: from no instance to one")
        first = self.deploy(FIRST)
        _write_foreign_rule(first)
        first.scale_to(1)
        held = wait_until(lambda: any(one.lifecycle_state == "Pending:Wait" for one in first.instances().values()), 5)
        self.story.claim("a lifecycle hook holds the instance in Pending:Wait", held is not None, held)
        self._claim_admitted(first, [first], 1)
        return first

    def two_regions(self, first: Observer) -> Observer:
        """Chapter 2."""
        self.story.chapter(f"{SECOND} joins: both groups show both")
        second = self.deploy(SECOND)
        _write_foreign_rule(second)
        second.scale_to(1)
        self._claim_admitted(second, [first, second], 1)
        self.story.note(
            "each Region's next true-up, by schedule every minute, picks up the other's members; asking now"
        )
        first.true_up(), second.true_up()
        self._claim_equal(first, second)
        return second

    def out_and_in(self, first: Observer, second: Observer) -> None:
        """Chapter 3."""
        self.story.chapter("Both scale out and in: the rules follow")
        first.scale_to(2)
        self._claim_admitted(first, [first, second], 2)
        second.scale_to(2)
        self._claim_admitted(second, [first, second], 2)
        for region in (first, second):
            before = region.instances()
            region.scale_to(1)
            leaving = self._leaving(region, before)
            if leaving is None:
                continue
            with Watch([first, second], region, leaving, before[leaving].address or "") as watch:
                pass
            departure = watch.departure
            address = before[leaving].address
            self.story.claim(f"{address} is in no group any more", departure.closed is not None, departure.closed)
            self.story.claim(
                f"and only then {leaving} is gone and its address free", departure.closed_first, departure.gone
            )
        self._claim_equal(first, second)

    def burst(self, first: Observer, second: Observer) -> None:
        """Chapter 4."""
        self.story.chapter("A burst: eight more at once")
        before = len(first.instances())
        self.lab.forget_calls()
        first.scale_to(before + 8)
        self._claim_admitted(first, [first, second], before + 8)
        time.sleep(0.5)  # the engine's reads after the last answer
        calls = self.lab.engine_calls(FIRST)
        reconciles = len({call.cause for call in calls})
        took = "one reconcile" if reconciles == 1 else f"{reconciles} reconciles"
        self.story.claim(
            f"eight launches took {took} and {len(calls)} API calls, {len(calls) / 8:.1f} a launch",
            0 < reconciles <= 8 and len(calls) <= 8 * 12,
        )
        first.scale_to(before)
        self.story.claim_soon(
            "and all eight are released again",
            lambda: len(first.instances()) == before and _agree(first, second),
            PATIENCE,
        )

    def region_hangs(self, first: Observer, second: Observer) -> None:
        """Chapter 5."""
        self.story.chapter(f"{SECOND} hangs: {FIRST} does not wait")
        self.lab.fault(SECOND, "hang")
        try:
            before = first.instances()
            first.scale_to(len(before) + 1)
            self._claim_admitted(first, [first], len(before) + 1, within=10)
            before = first.instances()
            first.scale_to(len(before) - 1)
            leaving = self._leaving(first, before)
            address = before[leaving].address if leaving else None
            self.story.claim_soon(f"{address} is in no group of {FIRST}", lambda: address not in first.admitted(), 10)
            deadline = self.lab.release_deadline
            self.story.note(
                f"{SECOND} may still admit {address}, so {leaving} is held for the release deadline ({deadline} s here)"
                " and then let go"
            )
            time.sleep(deadline)
            first.true_up()
            self.story.claim_soon(f"{leaving} is gone", lambda: leaving not in first.instances(), 10)
        finally:
            self.lab.heal(SECOND)
        first.true_up()
        self.story.claim_soon(f"{SECOND} is healed and has caught up", lambda: _agree(first, second), PATIENCE)

    def repairs(self, first: Observer, second: Observer) -> None:
        """Chapter 6."""
        self.story.chapter("What no event told: a true-up repairs it")
        self._attach_by_hand(first)
        mine = next(rule for rule in second.rules() if rule["CidrIpv4"].partition("/")[0] != FOREIGN_ADDRESS)
        second.client("ec2").revoke_security_group_ingress(
            GroupId=second.security_group, SecurityGroupRuleIds=[mine["SecurityGroupRuleId"]]
        )
        self.story.claim(f"the rule of {mine['CidrIpv4']} in {SECOND} is deleted by hand", not _agree(first, second))
        started = time.monotonic()
        first.true_up(), second.true_up()
        self.story.claim("a true-up in each Region repairs both", _agree(first, second), time.monotonic() - started)
        untouched = all(FOREIGN_ADDRESS in region.admitted() for region in (first, second))
        self.story.claim(f"the operator's own rule for {FOREIGN_ADDRESS} was never touched", untouched)

    def _attach_by_hand(self, region: Observer) -> None:
        """Runs an instance outside of the group, and attaches it."""
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
        self.story.note(f"{id} is attached to {region.auto_scaling_group} by hand")

    def _claim_admitted(self, home: Observer, regions: list[Observer], count: int, within: float = PATIENCE) -> None:
        """Claims that so many instances come into service, none before every Region given admits it."""
        early: set[str] = set()

        def in_service() -> bool:
            serving = [one for one in home.instances().values() if one.lifecycle_state == "InService"]
            admitted = [region.admitted() for region in regions]
            early.update(one.id for one in serving if any(one.address not in addresses for addresses in admitted))
            return len(serving) == count

        where = " and ".join(region.region for region in regions)
        self.story.claim_soon(f"{home.region}: {count} InService", in_service, within)
        self.story.claim(f"none was InService before its rule was in {where}", not early)

    def _claim_equal(self, first: Observer, second: Observer) -> None:
        self.story.claim_soon("both groups admit exactly the members of both", lambda: _agree(first, second), PATIENCE)

    def _leaving(self, region: Observer, before: Iterable[str]) -> str | None:
        """The instance that is on its way out."""
        found: list[str] = []

        def leaving() -> bool:
            now = region.instances()
            found[:] = [id for id in before if id not in now or now[id].lifecycle_state.startswith("Terminating")]
            return bool(found)

        seconds = wait_until(leaving, 5)
        self.story.claim(f"{region.region}: an instance is held in Terminating:Wait", bool(found), seconds)
        return found[0] if found else None


def _agree(first: Observer, second: Observer) -> bool:
    """Whether both Regions' groups admit exactly the members of both, and the operator's own address."""
    members = {
        one.address
        for region in (first, second)
        for one in region.instances().values()
        if not one.lifecycle_state.startswith("Terminating")
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
                "IpRanges": [{"CidrIp": f"{FOREIGN_ADDRESS}/32", "Description": "written by hand by an operator"}],
            }
        ],
    )


PARAMETERS = {"ReleaseDeadline": "5"}
"""So that nobody waits five minutes for the story to go on."""


def play(view: View) -> bool:
    """Plays the demo on a lab of its own. Returns whether every claim held. Raises LabError, BuildFailed."""
    with Lab(regions=[FIRST, SECOND], parameters=PARAMETERS) as lab:
        return Demo(lab, Story(view)).play()
