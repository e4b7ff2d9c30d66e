"""What Lambda imports. Builds the engine before the first event, while Lambda gives a whole CPU at any memory size."""

import os

from ringfence.runtime.handler import Handler

handler = Handler(os.environ)
handler.prepare()
