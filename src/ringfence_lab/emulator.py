"""The lab's server: MiniStack, with moto for EC2 and Auto Scaling, in one process behind the lab's front.

`python -m ringfence_lab.emulator SOCKET` serves on a listening socket that it inherits, until its standard input ends
or it is told to stop, so that it never outlives whoever started it. It prints `ready` once it serves. Everything that it
writes lies in a directory that goes with it. What the emulators get wrong is mended in `identity`, `delivery`, `cloudformation` and `aws`.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

ACCOUNT = "123456789012"
_WORKERS = 64
"""Threads for what blocks. Idle ones cost little, and too few make concurrent calls wait for one another."""


def main() -> None:
    """Serves on the socket whose descriptor the command line names."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="ringfence-lab-", ignore_cleanup_errors=True) as directory:
        _prepare_environment(listener.getsockname()[1], directory)
        try:
            asyncio.run(_serve(listener))
        finally:
            _stop_functions()
    # A thread that serves a call that hangs must not hold the process up.
    os._exit(0)


def _prepare_environment(port: int, directory: str) -> None:
    """MiniStack and moto read their settings when they are imported, from the environment."""
    os.environ |= {
        "AUTH": "true",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MOTO_ACCOUNT_ID": ACCOUNT,
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "HOME": directory,
        "TMPDIR": directory,
        "PYTHONPYCACHEPREFIX": f"{directory}/pycache",
        "DOCKER_HOST": f"unix://{directory}/no-docker",
    }
    tempfile.tempdir = directory


async def _serve(listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_WORKERS))
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    _when_input_ends(lambda: loop.call_soon_threadsafe(stopped.set))
    front = _assemble(loop)
    server = await front.serve(listener)
    print("ready", flush=True)  # noqa: T201  # whoever started us waits for it
    await stopped.wait()
    server.close()


def _when_input_ends(then: Callable[[], object]) -> None:
    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        then()

    threading.Thread(target=wait, name="life-line", daemon=True).start()


def _assemble(loop: asyncio.AbstractEventLoop) -> Any:
    """Puts the emulators together. Imports them only now, since they read the environment as they load."""
    from ministack import app

    from ringfence_lab import cloudformation, delivery, identity
    from ringfence_lab.front import Front
    from ringfence_lab.moto_services import SERVICES, MotoServices

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = MotoServices()
    bus = delivery.EventBus(ACCOUNT)
    bus.start()
    app._MAIN_LOOP = loop
    for service in SERVICES:
        app.SERVICE_HANDLERS[service] = _handler(moto)
    identity.install(moto, ACCOUNT)
    delivery.install()
    cloudformation.install(moto)
    return Front(app.app, identity.caller)


def _handler(moto: Any) -> Any:
    """Moto's services as MiniStack calls one of its own."""

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
    ) -> tuple[int, dict[str, str], bytes]:
        answer = await asyncio.to_thread(moto.answer, method, path, urlencode(query, doseq=True), headers, body)
        return answer.status, answer.headers, answer.body

    return handle


def _stop_functions() -> None:
    """Ends the processes in which Lambda functions run."""
    runtime = sys.modules.get("ministack.core.lambda_runtime")
    if runtime is not None:
        runtime.reset()


if __name__ == "__main__":
    main()
