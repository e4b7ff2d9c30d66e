"""The lab's server process, which runs the emulators.

`python -m ringfence_lab.emulator.server SOCKET` serves on a listening socket that it inherits, until its standard input
ends or it is stopped, so that it never outlives its parent process. It prints `ready` when it serves. All of its files
are in a directory that it deletes at the end. It must not know what is served.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ringfence_lab.emulator import images

ACCOUNT = "123456789012"
_WORKERS = 64
"""Threads for blocking calls. Idle threads cost little, and too few threads delay concurrent calls."""

_MEMORY = "/dev/shm"  # noqa: S108  # the directory inside is our own
_ENOUGH_BYTES = 1 << 30
"""The artefact takes 25 MB for each process of a function."""


def main() -> None:
    """Serves on the socket with the descriptor from the command line."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    directory = tempfile.mkdtemp(prefix="ringfence-lab-", dir=_temporary_root())
    _prepare_environment(listener.getsockname()[1], directory)
    asyncio.run(_serve(listener, directory))


def _temporary_root() -> str | None:
    """Memory, if there is enough: a cold start unpacks a thousand files, which takes five times as long on a disk."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES else None


def _prepare_environment(port: int, directory: str) -> None:
    """Sets the environment that the emulators read when they are imported, and that functions inherit."""
    amis = Path(directory, "amis.json")
    amis.write_text(json.dumps(images.descriptions()))
    os.environ |= {
        "AUTH": "true",
        "DOCKER_HOST": f"unix://{directory}/no-docker",
        "GATEWAY_PORT": str(port),
        "HOME": directory,
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_HOST": "127.0.0.1",
        "MOTO_ACCOUNT_ID": ACCOUNT,
        "MOTO_AMIS_PATH": str(amis),
        "TMPDIR": directory,
    }
    tempfile.tempdir = directory
    os.chdir(directory)


async def _serve(listener: socket.socket, directory: str) -> None:
    from ringfence_lab.emulator import assembly  # noqa: PLC0415  # the emulators read the environment when they load

    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_WORKERS))
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    _when_input_ends(lambda: loop.call_soon_threadsafe(stopped.set))
    server = await assembly.assemble(ACCOUNT, loop).serve(listener)
    print("ready", flush=True)  # noqa: T201  # the parent process waits for it
    await stopped.wait()
    server.close()
    await asyncio.to_thread(assembly.stop)
    # Replaces this process: no thread with a hanging call delays the end, and none writes while the files are deleted.
    os.execvp("rm", ["rm", "-rf", directory])  # noqa: S606, S607  # no shell; the directory is our own


def _when_input_ends(then: Callable[[], object]) -> None:
    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        then()

    threading.Thread(target=wait, name="life-line", daemon=True).start()


if __name__ == "__main__":
    main()
