"""Puts the emulators together behind the lab's front, with every seam mended.

Importing this imports MiniStack and moto, which read their settings from the environment as they load.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from ministack import app

from ringfence_lab.emulator import cloudformation, delivery, functions, identity, policy_simulator
from ringfence_lab.emulator import cloudtrail as trail
from ringfence_lab.emulator.aws import installation
from ringfence_lab.emulator.aws.timers import Timers
from ringfence_lab.emulator.front import Front
from ringfence_lab.emulator.moto_services import SERVICES, MotoServices

_TALKATIVE = ("samtranslator", "werkzeug")
"""Loggers whose warnings say nothing of the lab."""

Handler = Callable[
    [str, str, Mapping[str, str], bytes, Mapping[str, list[str]]], Awaitable[tuple[int, dict[str, str], bytes]]
]
"""A service as MiniStack calls it: method, path, headers, body and query to status, headers and body."""


def assemble(account: str, loop: asyncio.AbstractEventLoop) -> Front:
    """The front with everything behind it, on an account that is empty. Once for each process."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    moto = MotoServices()
    bus = delivery.EventBus(account)
    bus.start()
    app._MAIN_LOOP = loop
    app.SERVICE_HANDLERS.update({service: _handler(service, moto) for service in SERVICES})
    identity.install(moto, account)
    policy_simulator.install()
    delivery.install()
    functions.install()
    cloudformation.install(moto)
    installation.install(bus.emit, Timers().schedule, moto.lock)
    return Front(app.app, identity.caller)


def stop() -> None:
    """Ends what runs outside of this process, and what it would still say."""
    logging.disable()
    functions.stop()


def _handler(service: str, moto: MotoServices) -> Handler:
    """One of moto's services as MiniStack calls a service of its own."""

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
    ) -> tuple[int, dict[str, str], bytes]:
        answer = await asyncio.to_thread(moto.answer, method, path, urlencode(query, doseq=True), headers, body)
        if service == "ec2" and answer.status == HTTPStatus.OK:
            trail.note(headers, body, answer.body)
        return answer.status, answer.headers, answer.body

    return handle
