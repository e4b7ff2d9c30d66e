"""What a fault of the lab does, in a sentence. Pure."""

from collections.abc import Mapping, Sequence


def in_words(region: str, service: str | None, kind: str) -> str:
    """What happens to calls from now on, for a fault as the command line has it."""
    calls = f"every call to {service or 'any service'} in {region}"
    if kind.startswith("delay="):
        return f"{calls} is answered {kind.partition('=')[2]} s late"
    if kind.startswith("zone="):
        return f"EC2 describes no instance of {kind.partition('=')[2]}, and none in a call that names no instance"
    match kind:
        case "reset":
            return f"{calls} loses its connection"
        case "hang":
            return f"{calls} gets no answer"
        case "throttle":
            return f"{calls} is throttled"
        case "deny":
            return f"{calls} is denied"
        case "inactive":
            return (
                f"each answer to a lifecycle hook in {region} is refused: no lifecycle action is active, says the lab"
            )
        case "new-role":
            return f"the next resource of {service or 'any service'} in {region} does not see its role, once"
        case _:
            return f"{calls}: {kind}"


def removed(faults: Sequence[Mapping[str, str | None]], region: str | None) -> str:
    """Which faults were removed, of those in a Region or in all."""
    gone = [fault for fault in faults if region in (None, fault["region"])]
    if not gone:
        return f"{region or 'the lab'} had no fault"
    named = (f"{fault['fault']} of {fault['service'] or 'all services'} in {fault['region']}" for fault in gone)
    return f"removed: {'; '.join(named)}"
