"""Keeps the processes in which Lambda functions run apart by Region, and ends them.

Seams in MiniStack's Lambda. Knows no function.
"""

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc


def install() -> None:
    """Patches MiniStack. Once for each process."""
    lambda_svc.invalidate_worker = _invalidate_in_region


def _invalidate_in_region(
    name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
) -> None:
    """Ends the processes of a function that changed, and not those of its namesake in another Region."""
    lambda_runtime.invalidate_worker(name, qualifier, account or get_account_id(), region or get_region())


def stop() -> None:
    """Ends every function's process."""
    lambda_runtime.reset()
