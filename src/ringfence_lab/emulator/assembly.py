"""Assembles the emulators behind the lab's front, with all patches.

Importing this module imports MiniStack and moto, which read their settings from the environment when they load.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from ministack import app

from ringfence_lab.emulator.aws import installation
from ringfence_lab.emulator.aws.journeys import Environment
from ringfence_lab.emulator.aws.timers import Timers
from ringfence_lab.emulator.faults import Faults
from ringfence_lab.emulator.front import Front
from ringfence_lab.emulator.ministack import (
    alarm_actions,
    alarms,
    cloudformation,
    cloudtrail,
    conditional_resources,
    conditions,
    delivery,
    functions,
    identity,
    leading_keys,
    policy_simulator,
    service_quotas,
    subscriptions,
)
from ringfence_lab.emulator.moto_services import SERVICES, MotoServices

_NOISY = ("samtranslator", "werkzeug")
"""Loggers whose warnings do not concern the lab."""

Handler = Callable[
    [str, str, Mapping[str, str], bytes, Mapping[str, list[str]]], Awaitable[tuple[int, dict[str, str], bytes]]
]
"""A service of MiniStack: from method, path, headers, body and query to status, headers and body."""


def assemble(account: str, loop: asyncio.AbstractEventLoop) -> Front:
    """The front with all services, in an empty account. Call it once in a process."""
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    moto, faults = MotoServices(), Faults()
    event_bus = delivery.EventBus(account)
    event_bus.start()
    app._MAIN_LOOP = loop
    app.SERVICE_HANDLERS.update({service: _handler(service, moto) for service in SERVICES})
    identity.install(moto, account)
    leading_keys.install()
    policy_simulator.install()
    delivery.install()
    functions.install()
    faults = Faults()
    cloudformation.install(moto, faults)
    alarms.install()
    conditions.install()
    conditional_resources.install()
    alarm_actions.install()
    subscriptions.install()
    quota = installation.install(
        Environment(
            send_event=event_bus.send,
            call_later=Timers().call_later,
            lock=moto.lock,
            failing_zones=faults.failing_zones,
        )
    )
    service_quotas.install(quota)
    return Front(app.app, identity.caller, faults)


def stop() -> None:
    """Stops logging, and ends the processes of functions."""
    logging.disable()
    functions.stop()


def _handler(service: str, moto: MotoServices) -> Handler:
    """One of moto's services, in the form of MiniStack's own services."""

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
    ) -> tuple[int, dict[str, str], bytes]:
        answer = await asyncio.to_thread(moto.answer, method, path, urlencode(query, doseq=True), headers, body)
        if service == "ec2" and answer.status == HTTPStatus.OK:
            cloudtrail.record(headers, body, answer.body)
        return answer.status, answer.headers, answer.body

    return handle
