"""Reads who an SNS topic notifies. Changes nothing and judges nothing."""

from ringfence.aws.assembly import ClientOf
from ringfence.core.model.identifiers import Region
from ringfence_ops.doctor.facts import Topic

_PENDING = "PendingConfirmation"
"""What SNS says in place of the ARN of a subscription that is not confirmed.

Source: Amazon SNS API Reference, ListSubscriptionsByTopic."""


def read_topic(client_of: ClientOf, arn: str) -> Topic | None:
    """The subscriptions of the topic; None for no ARN. Raises botocore's errors: `NotFound` for no topic."""
    if not arn:
        return None
    sns = client_of("sns", Region(arn.split(":")[3]))
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    found = [each for page in pages for each in page["Subscriptions"]]
    return Topic(
        tuple(_shown(each) for each in found if each["SubscriptionArn"] != _PENDING),
        tuple(_shown(each) for each in found if each["SubscriptionArn"] == _PENDING),
    )


def _shown(subscription: dict[str, str]) -> str:
    return f"{subscription['Protocol']} {subscription['Endpoint']}"
