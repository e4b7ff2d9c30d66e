"""Serves EC2 and Auto Scaling from moto inside the lab's process, for the lab's port and for the lab itself.

One lock protects every request, because moto is not thread-safe. It must not know another emulator.
"""

import io
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

SERVICES = ("ec2", "autoscaling")

_HOP_BY_HOP = {"content-length", "transfer-encoding", "connection", "expect"}


class MotoResponse(NamedTuple):
    """An HTTP response of moto."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class MotoServices:
    """Moto, and the lock that all access to its state requires."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    _application: DomainDispatcherApplication = field(
        default_factory=lambda: DomainDispatcherApplication(create_backend_app)
    )
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> MotoResponse:
        """Answers a signed request. EC2 and Auto Scaling have one path; moto has control paths besides."""
        if path != "/":
            return MotoResponse(404, {"Content-Type": "text/plain"}, b"no such path")
        passed = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
        request = EnvironBuilder(path=path, method=method, headers=list(passed.items()), data=body, query_string=query)
        with self.lock:
            chunks, status, answered = run_wsgi_app(self._application, request.get_environ(), buffered=True)
            return MotoResponse(int(status.split()[0]), dict(answered), b"".join(chunks))

    def client(self, service: str, region: str) -> Any:
        """A client for the lab itself, which calls moto without the network, faults and IAM."""
        with self.lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._make_client(service, region)
            return self._clients[service, region]

    def _make_client(self, service: str, region: str) -> Any:
        session = boto3.Session(aws_access_key_id="lab", aws_secret_access_key="lab")  # noqa: S106  # moto does not check it
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        client: Any = session.client(service, region_name=region, config=config)  # type: ignore[call-overload]  # by name
        client.meta.events.register("before-send", self._answer_prepared)
        return client

    def _answer_prepared(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Botocore's `before-send` handler: its result is the response."""
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value) for name, value in request.headers.items()
        }
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        answer = self.answer(str(request.method), "/", "", {**headers, "Host": _host_of(str(request.url))}, body)
        return AWSResponse(str(request.url), answer.status, HTTPHeaders.from_dict(answer.headers), _Raw(answer.body))


class _Raw(io.BytesIO):
    """A body in the form of urllib3, for botocore."""

    def stream(self, **_: object) -> Iterator[bytes]:
        """The whole body in one part."""
        yield self.read()


def _host_of(url: str) -> str:
    return url.split("/")[2]
