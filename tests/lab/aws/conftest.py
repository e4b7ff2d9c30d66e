"""The emulated AWS of these tests."""

from collections.abc import Iterator

import pytest
from moto.core.base_backend import BackendDict
from moto.server import ThreadedMotoServer

from tests.lab.aws.emulated import EmulatedAws, client


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> EmulatedAws:
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # hundreds of images, which take moto a second to load
    BackendDict.reset()
    aws = EmulatedAws(client("ec2", endpoint), client("autoscaling", endpoint))
    aws.install()
    aws.build_network()
    return aws
