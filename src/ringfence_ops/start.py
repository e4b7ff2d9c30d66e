"""The entry point of the program `ringfence`: it loads `ringfence_ops.main`, and ends quietly at Ctrl-C meanwhile.

Imports nothing else of ours before that: loading takes a third of a second, in which Ctrl-C would show a traceback.
"""

import os
import signal
import sys
import threading


def main() -> None:
    """Runs the command line."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # not where Ctrl-C is ignored, as under nohup
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ringfence_ops.main import run  # noqa: PLC0415  # see above

    signal.signal(signal.SIGINT, handler)
    code = run(sys.argv[1:])
    sys.stderr.flush()
    if threading.active_count() > 1:
        os._exit(code)  # a thread that waits for a Region that does not answer must not delay the end
    sys.exit(code)
