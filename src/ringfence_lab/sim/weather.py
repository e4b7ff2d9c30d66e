"""The faults of one history: a random mixture of faults of calls, of Regions and of events, and of old answers.

It must not know what the calls are for.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from ringfence.core.model.identifiers import Region
from ringfence_lab.sim.aws.event_bridge import IMMEDIATELY, deliver_immediately
from ringfence_lab.sim.aws.past import RULES_REMEMBERED_SECONDS
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call import Call
from ringfence_lab.sim.engine.call_faults import CallFault, Effect

RATES = (0.0, 0.02, 0.1, 0.25)
"""Possible shares of the calls that meet a fault."""

SERVICES = ("ec2", "dynamodb", "autoscaling")
NEW_STACKS_IN = 0.1
"""The share of the histories in which a Region's stack is new, and its engine lacks a policy for a while."""
POLICIES = (
    frozenset(
        {
            "AuthorizeSecurityGroupIngress",
            "RevokeSecurityGroupIngress",
            "UpdateSecurityGroupRuleDescriptionsIngress",
        }
    ),
    frozenset({"CompleteLifecycleAction"}),
)
"""The calls at home that each of the policies which template.yaml makes beside the hooks allows."""
LAGS_IN = 0.3
"""The share of the histories in which all describes of a Region sometimes lag behind together."""
LAGS = (3.0, 10.0, 10.0, 60.0)
"""Possible bounds on such a lag, in seconds. The engine allows for a minute."""
OLD_RULES_IN = 0.3
"""The share of the histories in which readings of rules lag behind for up to minutes, group by group."""
STALE_CALLS = frozenset({"DescribeAutoScalingGroups", "DescribeInstances", "DescribeWarmPool"})
REFUSALS = (Effect.FAIL, Effect.UNREACHABLE, Effect.DENY)
"""What a call that depends on a failing zone can meet. EC2's documents do not say how it fails, so a permanent error
is among them."""
CLIENT_TIMEOUT = 3.0
"""Seconds after which the client gives up a call that hangs."""


class Weather:
    """The faults of one history. `heal` ends them all; `fates` counts the lost, late and doubled events."""

    def __init__(self, cloud: Cloud, chance: random.Random) -> None:
        self._cloud = cloud
        self._chance = chance
        self._rate = chance.choice(RATES)
        self._effects = [effect for effect in Effect if effect is not Effect.DENY and chance.random() < 0.4]
        self._stale_rate = chance.choice((0.0, 0.0, 0.0, 0.3))
        self._event_rate = chance.choice((0.0, 0.1, 0.5))
        self._lags = chance.random() < LAGS_IN
        self._lag: dict[Region, float] = {}
        self.rules_lag = chance.random() < OLD_RULES_IN
        self._missing = chance.choice(POLICIES) if chance.random() < NEW_STACKS_IN else frozenset[str]()
        self._new_stack = chance.choice(list(cloud.regions))
        self._outage: CallFault | None = None
        self._zone_outage: CallFault | None = None
        self._zones_fail = True
        self.fates: Counter[str] = Counter()
        if self._missing or self._lags or self._stale_rate or (self._rate and self._effects):
            cloud.faults.chance = self._on_call
        if self._event_rate:
            for region in cloud.regions.values():
                region.events.fate = self._on_event

    def change_lag(self) -> str:
        """Lets all describes of a Region lag behind together, or catch up. Does nothing in a history without lag."""
        if not self._lags:
            return ""
        region = self._chance.choice(list(self._cloud.regions))
        if self._lag.pop(region, None) is not None:
            return f"the describes of {region} catch up"
        self._lag[region] = seconds = self._chance.uniform(0.1, self._chance.choice(LAGS))
        self.fates["correlated lag"] += 1
        return f"all describes of {region} are {seconds:.1f} s behind"

    def rule_out_zone_outages(self) -> None:
        """From now on, no zone fails alone."""
        self._zones_fail = False

    def change_rules_lag(self) -> str:
        """Lets readings of a security group's rules lag behind, or catch up. Only in some histories."""
        if not self.rules_lag:
            return ""
        groups = [group for region in self._cloud.regions.values() for group in region.security_groups.groups.values()]
        if not groups:
            return ""
        group = self._chance.choice(groups)
        seconds = self._chance.choice((0.0, 10.0, 60.0, RULES_REMEMBERED_SECONDS, RULES_REMEMBERED_SECONDS))
        group.lag(seconds)
        self.fates["rules lag behind"] += 1
        return f"for {seconds:.0f} s, {group.id} is shown as it is now"

    def let_rules_catch_up(self) -> None:
        """From now on, all readings of rules are right."""
        self.rules_lag = False
        for region in self._cloud.regions.values():
            for group in region.security_groups.groups.values():
                group.lag(0.0)

    def rule_out_lag(self) -> None:
        """From now on, describes do not lag behind together."""
        self._lags = False

    def rule_out_new_stacks(self) -> None:
        """From now on, no permission is missing because a stack is new."""
        self._missing = frozenset()

    def lag(self, region: Region, seconds: float) -> None:
        """Lets all describes of a Region lag behind by so much; 0 lets them catch up. Also after everything healed."""
        self._lag = {region: seconds} if seconds else {}
        self._cloud.faults.chance = self._on_lagging_call if seconds else None

    def change(self) -> str:
        """Starts an outage of a Region or of one of its services, or ends the current one."""
        if self._outage is not None:
            self._cloud.heal(self._outage)
            self._outage = None
            return "the outage is over"
        region = self._chance.choice(list(self._cloud.regions))
        service = self._chance.choice((None, *SERVICES))
        effect = self._chance.choice((Effect.UNREACHABLE, Effect.FAIL, Effect.THROTTLE))
        seconds = CLIENT_TIMEOUT if effect is Effect.UNREACHABLE else 0.0
        self._outage = self._cloud.fault(effect, region=region, service=service, seconds=seconds)
        return f"{service or 'everything'} in {region}: {effect.value}"

    def change_zone(self, region: Region) -> str:
        """Starts an outage of one zone, or ends the current one.

        EC2 describes no instance of that zone then, and none in a call that does not name instances.
        """
        if not self._zones_fail:
            return ""
        if self._zone_outage is not None:
            self._cloud.heal(self._zone_outage)
            self._zone_outage = None
            return "EC2 describes every zone again"
        zone, effect = self._chance.choice(sorted(self._cloud.regions[region].ec2.zones)), self._chance.choice(REFUSALS)
        self._zone_outage = self._cloud.fault(effect, region=region, zone=zone, seconds=CLIENT_TIMEOUT)
        self.fates["zone outage"] += 1
        return f"EC2 does not describe {zone}: {effect.value}"

    def heal(self) -> None:
        """Ends all faults."""
        self._outage = self._zone_outage = None
        self._lag.clear()
        self._cloud.heal()
        for region in self._cloud.regions.values():
            region.events.fate = deliver_immediately

    def _on_call(self, call: Call) -> CallFault | None:
        chance = self._chance
        if call.operation in self._missing and call.region == call.invocation.home == self._new_stack:
            return CallFault(effect=Effect.DENY)
        if (lagging := self._on_lagging_call(call)) is not None:
            return lagging
        if self._stale_rate and call.operation in STALE_CALLS and chance.random() < self._stale_rate:
            return CallFault(effect=Effect.STALE, seconds=chance.uniform(0.1, 20.0))
        if not self._effects or chance.random() >= self._rate:
            return None
        effect = chance.choice(self._effects)
        match effect:
            case Effect.STALE:
                seconds = chance.uniform(0.1, 20.0)
                return CallFault(effect=effect, seconds=seconds) if call.operation in STALE_CALLS else None
            case Effect.SLOW:
                return CallFault(effect=effect, seconds=chance.choice((0.2, 2.0, 6.0, 40.0)))
            case Effect.UNREACHABLE:
                return CallFault(effect=effect, seconds=CLIENT_TIMEOUT)
            case _:
                return CallFault(effect=effect)

    def _on_lagging_call(self, call: Call) -> CallFault | None:
        lag = self._lag.get(call.region)
        stale = lag is not None and call.operation in STALE_CALLS
        return CallFault(effect=Effect.STALE, seconds=lag or 0.0) if stale else None

    def _on_event(self, _event: Mapping[str, object]) -> Sequence[float]:
        chance = self._chance
        if chance.random() >= self._event_rate:
            return IMMEDIATELY
        late = chance.choice((0.5, 5.0, 30.0, 90.0))
        fate, copies = chance.choice((("lost", ()), ("late", (late,)), ("doubled", (0.0, 301.0))))
        self.fates[f"event {fate}"] += 1
        return copies

    def __str__(self) -> str:
        effects = ", ".join(effect.value for effect in self._effects) if self._rate else ""
        return (
            f"{self._rate:.0%} of calls meet one of: {effects or 'nothing'}; {self._stale_rate:.0%} of describes are"
            f" stale; {self._event_rate:.0%} of events are lost, late or doubled;"
            f" {'some' if self._lags else 'no'} Regions lag behind;"
            f" {'some' if self.rules_lag else 'no'} rules are shown late;"
            f" {self._new_stack} is denied: {', '.join(sorted(self._missing)) or 'nothing'}"
        )
