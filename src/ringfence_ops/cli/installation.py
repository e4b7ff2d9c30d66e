"""How this `ringfence` was installed, and the command that adds an extra to it. Prints nothing.

Sources: PyPA specifications "Recording the Direct URL Origin of installed distributions" (`direct_url.json`) and
"Recording installed projects" (`INSTALLER`). uv and pipx leave `uv-receipt.toml` and `pipx_metadata.json` in the
environments that they make for a tool.
"""

import json
import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

NAME = "ringfence"


def install_command(extra: str | None = None, prefix: Path | None = None) -> str:
    """The command to run in a shell. `prefix` is the environment's directory: this one's if None."""
    environment = prefix or Path(sys.prefix)
    wanted = _requirement(json.loads(_record("direct_url.json") or "{}"), extra)
    if (environment / "uv-receipt.toml").is_file():
        return f"uv tool install --force {wanted}"
    if (environment / "pipx_metadata.json").is_file():
        return f"pipx install --force {wanted}"
    python = shlex.quote(sys.executable)
    if _record("INSTALLER").strip() == "uv":
        return f"uv pip install --python {python} {wanted}"
    return f"{python} -m pip install {wanted}"


def _requirement(origin: dict[str, Any], extra: str | None) -> str:
    """What pip, uv and pipx call this package, from where it came."""
    named = NAME if extra is None else f"{NAME}[{extra}]"
    url = str(origin.get("url", ""))
    if origin.get("dir_info", {}).get("editable"):
        directory = unquote(urlsplit(url).path)
        return f"--editable {shlex.quote(directory if extra is None else f'{directory}[{extra}]')}"
    return f'"{named} @ {url}"' if url else f'"{named}"'


def _record(name: str) -> str:
    """What the installer recorded of this package under this name: nothing where it did not."""
    try:
        return Distribution.from_name(NAME).read_text(name) or ""
    except PackageNotFoundError:
        return ""
