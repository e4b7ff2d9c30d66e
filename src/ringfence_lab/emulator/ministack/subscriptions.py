"""Subscriptions to an SNS topic by mail, which wait for their confirmation, as those over HTTP do.

A patch of MiniStack's SNS, which takes an address for confirmed, and lists the ARN of a subscription that is not. The
lab sends no mail: the token that confirms a subscription is `lab-` and the address.

Source: Amazon SNS API Reference, Subscribe, ConfirmSubscription and ListSubscriptionsByTopic.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import sns

_MAIL = ("email", "email-json")
_PENDING = "PendingConfirmation"

Answer = tuple[int, Mapping[str, str], bytes]
Handler = Callable[[Mapping[str, Any]], Answer]


def install() -> None:
    """Patches MiniStack. Call it once in a process."""
    sns._subscribe = _unconfirmed(sns._subscribe)
    sns._list_subscriptions_by_topic = _without_arns(sns._list_subscriptions_by_topic)


def _unconfirmed(subscribe: Handler) -> Handler:
    def subscribe_by_mail(parameters: Mapping[str, Any]) -> Answer:
        before = {each["arn"] for each in _subscriptions(parameters)}
        answer = subscribe(parameters)
        topic = sns._topic_by_arn_any_scope(sns._p(parameters, "TopicArn"))
        for each in _subscriptions(parameters):
            if each["protocol"] in _MAIL and each["arn"] not in before:
                each |= {"confirmed": False, "token": f"lab-{each['endpoint']}"}
                each["attributes"][_PENDING] = "true"
                sns._refresh_subscription_counts(topic)
                return answer[0], answer[1], answer[2].replace(each["arn"].encode(), b"pending confirmation")
        return answer

    return subscribe_by_mail


def _without_arns(listed: Handler) -> Handler:
    def list_subscriptions(parameters: Mapping[str, Any]) -> Answer:
        status, headers, body = listed(parameters)
        for each in _subscriptions(parameters):
            if not each["confirmed"]:
                body = body.replace(each["arn"].encode(), _PENDING.encode())
        return status, headers, body

    return list_subscriptions


def _subscriptions(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The subscriptions of the topic that the request names; none if there is no such topic."""
    topic = sns._topic_by_arn_any_scope(sns._p(parameters, "TopicArn"))
    found: list[dict[str, Any]] = topic["subscriptions"] if topic is not None else []
    return found
