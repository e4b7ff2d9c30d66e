"""Installs a lock file into the environment of the Python that runs it, and shows how far it is.

pip shows nothing while it unpacks, which takes a minute on a slow disk. Uses the standard library alone: it runs before
anything is installed.
"""

import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

PERIOD = 0.5
"""Seconds between two looks."""

QUIET = 10.0
"""Seconds between two lines where there is no terminal."""

_PIP = ["-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "--no-deps", "--require-hashes"]
_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_COLLECTED = re.compile(r"^(?:Collecting|Processing) ", re.MULTILINE)
_IGNORED = re.compile(r"^Ignoring ", re.MULTILINE)  # a package for other systems
_UNPACKING = "Installing collected packages"


def stage(output: str, installed: int, total: int) -> str:
    """How far pip is, by its output so far and by the packages that are installed."""
    total -= len(_IGNORED.findall(output))
    if _UNPACKING in output:
        return f"installed {min(installed, total)} of {total} packages"
    return f"collected {min(len(_COLLECTED.findall(output)), total)} of {total} packages"


def main(lock: Path) -> int:
    """Installs the lock file. Returns pip's exit code; if it failed, its output is shown."""
    total = len(set(_PACKAGE.findall(lock.read_text(encoding="utf-8"))))
    site = Path(sysconfig.get_paths()["purelib"])
    before = len(list(site.glob("*.dist-info")))
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        command = [sys.executable, *_PIP, "-r", str(lock)]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603  # pip
        shown, at = "", 0.0
        while process.poll() is None:
            time.sleep(PERIOD)
            log.seek(0)
            line = stage(log.read(), len(list(site.glob("*.dist-info"))) - before, total)
            is_terminal, now = sys.stderr.isatty(), time.monotonic()
            if line != shown and (is_terminal or now - at > QUIET):
                sys.stderr.write(f"\r\x1b[2K  {line}" if is_terminal else f"  {line}\n")
                sys.stderr.flush()
                shown, at = line, now
        log.seek(0)
        if process.returncode:
            sys.stderr.write(f"\n{log.read()}")
        else:
            clear = "\r\x1b[2K" if sys.stderr.isatty() else ""
            sys.stderr.write(f"{clear}  all packages are installed\n")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
