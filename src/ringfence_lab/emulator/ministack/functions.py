"""Separates the processes of Lambda functions by Region, and ends them.

Patches of MiniStack's Lambda. It must not know any function.
"""

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc


def install() -> None:
    """Patches MiniStack. Call it once in a process."""
    lambda_svc.invalidate_worker = _invalidate_in_region


def _invalidate_in_region(
    name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
) -> None:
    """Ends the processes of a changed function, but not those of a function with the same name in another Region."""
    lambda_runtime.invalidate_worker(name, qualifier, account or get_account_id(), region or get_region())


def stop() -> None:
    """Ends the processes of all functions."""
    lambda_runtime.reset()
