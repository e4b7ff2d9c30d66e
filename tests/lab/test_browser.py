"""A web page of another origin, in a real browser, can do nothing to a lab. Skipped on machines without Chromium."""

import http.server
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from ringfence_lab.control.lab import Lab
from tests.lab.roles import allow
from tests.labs import HOME, PEER, session_of_role

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

ATTACKER = "attacker.example"
"""A name that the browser resolves to this machine, as after DNS rebinding."""

PATIENCE = 60
"""Seconds."""

ATTACKS = (Path(__file__).parent / "attacks.html").read_text()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with one security group, which a reset would delete, and a role that a function can have."""
    with Lab(regions=[HOME, PEER]) as lab:
        session_of_role(lab, "any", [allow("logs:PutLogEvents", "*")])
        lab.client("ec2", HOME).create_security_group(GroupName="kept", Description="tests")
        yield lab


@dataclass(frozen=True, slots=True)
class Attacker:
    """A web server that answers with the page of attacks, and receives what the page found."""

    port: int
    results: queue.Queue[dict[str, str]]


@pytest.fixture
def attacker() -> Iterator[Attacker]:
    results: queue.Queue[dict[str, str]] = queue.Queue()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the names are those of the base class
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(ATTACKS.encode())

        def do_POST(self) -> None:
            results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever).start()
    yield Attacker(server.server_address[1], results)
    server.shutdown()
    server.server_close()


def browser(url: str, profile: Path, *options: str) -> list[str]:
    """The command of a browser that opens the URL without a window."""
    assert CHROMIUM is not None
    return [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",  # tests may run as root
        "--disable-gpu",
        "--no-first-run",
        f"--user-data-dir={profile}",
        f"--host-resolver-rules=MAP {ATTACKER} 127.0.0.1",
        *options,
        url,
    ]


def results_of(attacker: Attacker, url: str, profile: Path) -> dict[str, str]:
    """What the page at the URL reports to the attacker."""
    command = browser(url, profile, "--remote-debugging-port=0")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            return attacker.results.get(timeout=PATIENCE)
        finally:
            process.terminate()


def harm(lab: Lab) -> list[str]:
    """What was done to the lab by anyone but the fixture."""
    groups = [
        group["GroupName"]
        for group in lab.client("ec2", HOME).describe_security_groups()["SecurityGroups"]
        if group["GroupName"] not in ("default", "kept")
    ]
    functions = [function["FunctionName"] for function in lab.client("lambda", HOME).list_functions()["Functions"]]
    users = [user["UserName"] for user in lab.client("iam", HOME).list_users()["Users"]]
    kept = lab.client("ec2", HOME).describe_security_groups(GroupNames=["kept"])["SecurityGroups"]
    served = [f"{call.service} {call.action}" for call in lab.calls() if "Mozilla" in call.caller.user_agent]
    faults = [f"{fault['region']} {fault['fault']}" for fault in lab.faults()]
    return [*groups, *functions, *users, *faults, *served, *([] if kept else ["reset"])]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ATTACKER])
def test_a_page_of_another_origin_does_nothing(lab: Lab, attacker: Attacker, host: str, tmp_path: Path) -> None:
    # when
    results = results_of(attacker, f"http://{host}:{attacker.port}/?lab={lab.port}", tmp_path)
    # then the page tried every attack, and read nothing
    assert len(results) >= 15
    assert harm(lab) == []
    assert {outcome for attack, outcome in results.items() if attack.startswith("read")} == {"nothing"}


@pytest.mark.parametrize(
    "path",
    [
        "/_lab/faults",
        "/_ministack/health",
        "/?Action=CreateSecurityGroup&GroupName=rebound&GroupDescription=x&Version=2016-11-15&X-Amz-Credential="
        + quote(f"KEY/20261127/{HOME}/ec2/aws4_request", safe=""),
    ],
)
def test_a_name_that_resolves_to_the_lab_is_forbidden(lab: Lab, path: str, tmp_path: Path) -> None:
    command = browser(f"http://{ATTACKER}:{lab.port}{path}", tmp_path, "--dump-dom")
    page = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert "does not name this lab" in page
    assert harm(lab) == []
