"""The time of an answer by AWS's own clock: the operator's clock may be wrong."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any


def answered_at(response: Mapping[str, Any]) -> float:
    """When AWS answered, in epoch seconds, to the second. By this machine's clock if the answer has no date."""
    try:
        return parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return time.time()
