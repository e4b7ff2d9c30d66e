"""Decoding a message: what cannot be an event is refused with a reason, in bounded time, before it is decoded."""

import json
import time

import pytest

from ringfence.runtime.message_body import DEPTH_LIMIT, SIZE_LIMIT, Unreadable, decode

REFUSED = {
    "deeper than Python's stack": ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "bytes"),
    "deep and small": ("[" * 8_000, "levels"),
    "one level too deep": ("[" * (DEPTH_LIMIT + 1) + "]" * (DEPTH_LIMIT + 1), "levels"),
    "objects too deep": ('{"a":' * (DEPTH_LIMIT + 1) + "1" + "}" * (DEPTH_LIMIT + 1), "levels"),
    "deep after a string of an escaped quote": (json.dumps(['"' * 9, "\\"])[:-1] + "," + "[" * 9_000, "levels"),
    "256 KB of one string": (json.dumps("x" * 262_144), "bytes"),
    "256 KB of spaces": (" " * 262_144, "bytes"),
    "256 KB of quotes": ('"' * 262_144, "bytes"),
    "256 KB of digits": ("9" * 262_144, "bytes"),
    "one byte too large": (json.dumps("x" * (SIZE_LIMIT - 1)), "bytes"),
    "one byte too large in UTF-8": (json.dumps("\u00e9" * (SIZE_LIMIT // 2), ensure_ascii=False), "bytes"),
    "a lone surrogate": (r'{"detail": {"EC2InstanceId": "i-\ud800"}}', "surrogate"),
    "a lone surrogate in a name": (r'{"\udc00": 1}', "surrogate"),
    "a raw lone surrogate": ('{"a": "\ud800"}', "surrogate"),
    "surrogates in the wrong order": (r'["\udc00\ud800"]', "surrogate"),
    "an overflowing number": ('{"a": 1e999}', "too large"),
    "a negative overflowing number": ("[-1e999]", "too large"),
    "a huge integer": ("[" + "9" * 5_000 + "]", "too large"),
    "an integer of 21 digits": ("1" * 21, "too large"),
    "NaN": ('{"a": NaN}', "NaN"),
    "Infinity": ("[Infinity]", "Infinity"),
    "negative Infinity": ("[-Infinity]", "Infinity"),
    "a duplicate name": ('{"trueup": true, "trueup": false}', "twice"),
    "a duplicate name inside": ('{"a": {"b": 1, "b": 1}}', "twice"),
    "no JSON": ("hello", "not JSON"),
    "nothing": ("", "not JSON"),
    "a control character in a string": ('["\x00"]', "not JSON"),
    "text that was decoded from no UTF-8": (b"\xff\xfe{}".decode(errors="replace"), "not JSON"),
    "a byte order mark": ("\ufeff{}", "not JSON"),
    "two values": ("{} {}", "not JSON"),
    "XML": ("<a/>", "not JSON"),
}


@pytest.mark.parametrize(("body", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_body_that_cannot_be_an_event_is_refused_with_a_short_reason(body: str, reason: str) -> None:
    began = time.perf_counter()
    with pytest.raises(Unreadable, match=reason) as raised:
        decode(body)
    assert time.perf_counter() - began < 0.05
    assert len(str(raised.value)) < 200


ACCEPTED = {
    "as deep as allowed": "[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT,
    "as large as allowed": json.dumps("x" * (SIZE_LIMIT - 2)),
    "brackets in a string": json.dumps({"a": "[{" * 1000, "b": ['"[{' * 100, "\\"]}),
    "many shallow lists": json.dumps([[]] * 3000),
    "a pair of surrogates": r'"\ud83d\ude00"',
    "all kinds of values": json.dumps([None, True, -1, 1.5e300, 2**63 - 1, "text", {}]),
    "a bare string": '"text"',
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_any_other_json_is_decoded(body: str) -> None:
    assert decode(body) == json.loads(body)
