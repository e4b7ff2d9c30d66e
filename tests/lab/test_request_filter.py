"""The lab refuses what a web page may have sent, whatever the request is for, and serves AWS's clients."""

import json
from collections.abc import Iterator

import pytest

from ringfence_lab.control.client import RunningLab
from ringfence_lab.control.lab import Lab
from ringfence_lab.emulator.connection import AsgiMessage, Receive, Send
from tests.lab.fronts import exchanged, front_of
from tests.labs import HOME

SIGNED = "Authorization: AWS4-HMAC-SHA256 Credential=KEY/20261123/us-east-1/ec2/aws4_request, Signature=0"
FUNCTIONS = "/2015-03-31/functions"
PATHS = ["/", FUNCTIONS, "/bucket/key", "/_lab/faults", "/_lab/calls", "/_ministack/health", "/_ministack/reset"]

CORS = [
    (b"Access-Control-Allow-Origin", b"*"),
    (b"access-control-allow-headers", b"*"),
    (b"ACCESS-CONTROL-EXPOSE-HEADERS", b"*"),
    (b"Timing-Allow-Origin", b"*"),
]


async def permissive(_: AsgiMessage, receive: Receive, send: Send) -> None:
    """Answers as an emulator does that lets every page in."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [*CORS, (b"x-kept", b"yes")]})
    await send({"type": "http.response.body", "body": b"served"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with front_of(permissive) as port:
        yield port


def sent(port: int, *headers: str, method: str = "POST", path: str = "/", body: bytes = b"") -> tuple[int, bytes]:
    """The status and the answer to a request with these headers, of which {port} is the lab's port."""
    given = [header.format(port=port) for header in headers]
    if not any(header.lower().startswith("host:") for header in given):
        given.insert(0, f"Host: 127.0.0.1:{port}")
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *given, f"Content-Length: {len(body)}", "Connection: close"])
    answer = exchanged(port, head.encode("latin-1") + b"\r\n\r\n" + body)
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize(
    "header",
    [
        "Host: attacker.example",
        "Host: attacker.example:{port}",
        "Origin: https://attacker.example",
        "Sec-Fetch-Site: cross-site",
    ],
)
def test_a_request_of_another_site_is_forbidden_on_every_path(port: int, path: str, method: str, header: str) -> None:
    status, answer = sent(port, header, SIGNED, method=method, path=path)
    assert status == 403
    assert b"served" not in answer


@pytest.mark.parametrize(
    "host",
    [
        "",
        "attacker.example",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:{port}.attacker.example",
        "127.0.0.1.attacker.example:{port}",
        "127.0.0.1@attacker.example:{port}",
        "127.0.0.1:{port}, attacker.example",
        "bucket.localhost:{port}",
        "localhost.attacker.example:{port}",
        "0.0.0.0:{port}",
        "127.0.0.2:{port}",
        "2130706433:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "localhost.:{port}",
    ],
)
def test_a_host_that_is_not_this_lab_is_forbidden(port: int, host: str) -> None:
    assert sent(port, f"Host: {host}")[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LocalHost:{port}", "[::1]:{port}"])
def test_a_host_that_is_this_lab_is_served(port: int, host: str) -> None:
    assert sent(port, f"Host: {host}")[0] == 200


def test_a_request_without_a_host_is_forbidden(port: int) -> None:
    assert b" 403 " in exchanged(port, b"GET /_lab/faults HTTP/1.0\r\n\r\n").splitlines()[0]


def test_a_request_with_two_hosts_is_not_served(port: int) -> None:
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: attacker.example\r\nConnection: close\r\n\r\n"
    assert b"served" not in exchanged(port, request.encode())


@pytest.mark.parametrize(
    "header",
    [
        "Origin: null",
        "Origin:",
        "Origin: http://127.0.0.1",
        "Origin: http://127.0.0.1:1",
        "Origin: https://127.0.0.1:{port}",
        "Origin: http://127.0.0.1:{port}.attacker.example",
        "Origin: http://attacker.example:{port}",
        "Origin: http://127.0.0.1:{port}@attacker.example",
        "Origin: http://[",
        "oRiGiN: http://ATTACKER.example",
        "Referer: https://attacker.example/page",
        "SEC-FETCH-SITE: Cross-Site",
        "Sec-Fetch-Site: same-site",
        "sec-fetch-site: anything",
        "Sec-Fetch-Site: none, cross-site",
        "Upgrade: websocket",
        "UPGRADE: WebSocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ],
)
def test_a_header_of_another_page_is_forbidden(port: int, header: str) -> None:
    assert sent(port, header, SIGNED)[0] == 403


@pytest.mark.parametrize("other", ["Origin: https://attacker.example", "Sec-Fetch-Site: cross-site"])
def test_one_of_two_headers_is_enough_to_be_forbidden(port: int, other: str) -> None:
    own = "Origin: http://127.0.0.1:{port}" if other.startswith("Origin") else "Sec-Fetch-Site: none"
    assert sent(port, other, own)[0] == sent(port, own, other)[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Origin: http://127.0.0.1:{port}",),
        ("Origin: http://localhost:{port}", "Sec-Fetch-Site: same-origin", "Referer: http://localhost:{port}/page"),
        ("Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"),
    ],
)
def test_a_client_and_a_page_of_the_lab_itself_are_served(port: int, headers: tuple[str, ...]) -> None:
    assert sent(port, *headers)[0] == 200


@pytest.mark.parametrize("path", ["/", "/bucket/key", "/_lab/faults", "*"])
def test_a_preflight_is_forbidden(port: int, path: str) -> None:
    asks = ("Origin: https://attacker.example", "Access-Control-Request-Method: PUT")
    for headers in (asks, ()):
        status, answer = sent(port, *headers, method="OPTIONS", path=path)
        assert status == 403
        assert b"access-control" not in answer.lower()


def test_no_answer_lets_a_page_of_another_origin_read_it(port: int) -> None:
    status, answer = sent(port)
    assert status == 200
    assert b"x-kept: yes" in answer.lower()
    assert b"access-control" not in answer.lower()
    assert b"timing-allow-origin" not in answer.lower()


@pytest.mark.parametrize(
    "path",
    [
        "/_ministack/reset",
        "/_MiniStack/reset",
        "/%5Fministack/reset",
        "//_ministack/reset",
        "/_ministack/config",
        "/_ministack/rds/iam-auth",
        "/_localstack/state/reset",
        "/moto-api/reset",
        "/moto-api/data.json",
    ],
)
def test_the_emulators_control_paths_are_forbidden_to_every_client(port: int, path: str) -> None:
    assert sent(port, SIGNED, path=path)[0] == 403


@pytest.mark.parametrize("path", ["/_ministack/health", "/_localstack/health", "/_ministack/cfn-response/token"])
def test_health_and_answers_of_functions_are_served(port: int, path: str) -> None:
    assert sent(port, path=path)[0] == 200


@pytest.mark.parametrize(("method", "status"), [("TRACE", 405), ("BREW", 405), ("PATCH", 200)])
def test_a_method_that_no_service_has_is_not_allowed(port: int, method: str, status: int) -> None:
    assert sent(port, method=method)[0] == status


def test_a_request_to_a_proxy_is_refused(port: int) -> None:
    assert sent(port, path=f"http://127.0.0.1:{port}/")[0] == 400
    assert sent(port, method="CONNECT", path=f"127.0.0.1:{port}")[0] == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'"\xff"',
        b"[" * 60_000,
        b"[]",
        b"{}",
        b"7",
        b'{"region": []}',
        b'{"region": "us-east-1"}',
        b'{"region": ["us-east-1"], "fault": "hang"}',
        b'{"region": "us-east-1", "fault": {}}',
        b'{"region": "us-east-1", "fault": "hang", "service": 7}',
        b'{"region": "us-east-1", "fault": "hang", "service": "\\ud800\\n"}',
        b'{"region": "mars\\n\\u001b[31m", "fault": "hang"}',
        b'{"region": "us-east-1", "fault": "delay=nan"}',
        b'{"region": "us-east-1", "fault": "delay=1e308"}',
        b'{"region": "' + b"x" * 60_000 + b'", "fault": "hang"}',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_bad_fault_is_a_bad_request_with_one_line(port: int, body: bytes) -> None:
    status, answer = sent(port, method="PUT", path="/_lab/faults", body=body)
    assert status == 400
    (error,) = json.loads(answer.partition(b"\r\n\r\n")[2]).values()
    assert error.isprintable()
    assert len(error) < 300
    assert RunningLab(port=port).faults() == []


def test_a_body_that_is_too_large_is_refused_before_it_is_read(port: int) -> None:
    head = f"PUT /_lab/faults HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {1 << 40}\r\n\r\n"
    assert b" 413 " in exchanged(port, head.encode() + b"x" * 100_000).splitlines()[0]
    assert b" 413 " in exchanged(port, head.replace("/_lab/faults", "/bucket/key").encode()).splitlines()[0]


def test_a_chunked_body_that_is_too_large_is_refused(port: int) -> None:
    head = f"PUT /_lab/faults HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    assert b" 413 " in exchanged(port, head.encode() + 4 * chunks).splitlines()[0]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/_lab/faults", 405),
        ("PUT", "/_lab/calls", 405),
        ("HEAD", "/_lab/calls", 405),
        ("GET", "/_lab/", 404),
        ("GET", "/_lab/reset", 404),
        ("GET", "/_lab/%0a%ff", 404),
        ("DELETE", "/_lab/faults?region=%ff", 400),
    ],
)
def test_an_unknown_request_to_the_lab_is_refused_with_one_line(port: int, method: str, path: str, status: int) -> None:
    answered, answer = sent(port, method=method, path=path)
    assert answered == status
    if method != "HEAD":
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"].isprintable()


@pytest.mark.parametrize("query", ["?X-Amz-Credential=", "?aX-Amz-Credential=1", "?X-Amz-Credential=%ff"])
def test_a_malformed_credential_in_the_query_is_no_signature(port: int, query: str) -> None:
    assert sent(port, path=f"/{query}")[0] == 200


def test_a_signed_request_cannot_reset_an_emulator_by_a_path_that_is_encoded_twice(empty_lab: Lab) -> None:
    # given
    created = empty_lab.client("ec2", HOME).create_security_group(GroupName="kept", Description="tests")["GroupId"]
    # when
    for path in ("/moto-api/reset", "/%6doto-api/reset", "/%256doto-api/reset", "/_ministack/reset"):
        assert sent(empty_lab.port, SIGNED, path=path)[0] in (403, 404)
    # then
    groups = empty_lab.client("ec2", HOME).describe_security_groups(GroupIds=[created])["SecurityGroups"]
    assert [group["GroupName"] for group in groups] == ["kept"]


def test_the_whole_lab_answers_without_cors(empty_lab: Lab) -> None:
    for path in ("/", "/_ministack/health", "/bucket/key", "/.well-known/jwks.json", "/_lab/faults"):
        _, answer = sent(empty_lab.port, method="GET", path=path)
        assert b"access-control" not in answer.lower()
