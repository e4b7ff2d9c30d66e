"""Runs the lab's front on a port, with an application that a test gives."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ringfence_lab.emulator.connection import Application
from ringfence_lab.emulator.front import Front, KeyOwner


@contextmanager
def front_of(application: Application) -> Iterator[int]:
    """Serves the application, and yields its port."""
    loop = asyncio.new_event_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    loop.run_until_complete(Front(application, lambda _: KeyOwner("arn:of:caller")).serve(listener))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield listener.getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def exchanged(port: int, request: bytes, timeout: float = 5.0) -> bytes:
    """Everything that the server answers to the bytes, until it ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
        client.sendall(request)
        answer = bytearray()
        while part := client.recv(1 << 16):
            answer += part
    return bytes(answer)
