"""A full screen of a terminal that is drawn again and again, scrolls, and ends at `q`. The last screen stays.

Knows keys and lines, and nothing of what they show.
"""

import os
import re
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.control import Control
from rich.segment import ControlType, Segment, Segments

from ringfence_ops.cli.text import Text

TICK = 0.1
"""Seconds between two looks at the keys, at what is new and at the size of the terminal."""

_KEY = re.compile(rb"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)
"""A key: one byte, or an escape sequence of xterm. Source: XTerm Control Sequences, "PC-Style Function Keys"."""

LINE_DOWN, LINE_UP, PAGE_DOWN, PAGE_UP, TOP, END, QUIT = range(7)

_KEYS = {
    b"j": LINE_DOWN,
    b"\x1b[B": LINE_DOWN,
    b"\x1bOB": LINE_DOWN,
    b"\r": LINE_DOWN,
    b"k": LINE_UP,
    b"\x1b[A": LINE_UP,
    b"\x1bOA": LINE_UP,
    b" ": PAGE_DOWN,
    b"f": PAGE_DOWN,
    b"\x1b[6~": PAGE_DOWN,
    b"b": PAGE_UP,
    b"\x1b[5~": PAGE_UP,
    b"g": TOP,
    b"\x1b[H": TOP,
    b"\x1bOH": TOP,
    b"G": END,
    b"\x1b[F": END,
    b"\x1bOF": END,
    b"q": QUIT,
    b"Q": QUIT,
}


_ERASE = Segment("\x1b[2K", None, [(ControlType.ERASE_IN_LINE, 2)])


def keys(data: bytes) -> list[int]:
    """What the keys in the data ask for; other keys ask for nothing."""
    return [_KEYS[key] for key in _KEY.findall(data) if key in _KEYS]


@dataclass(slots=True)
class Window:
    """Which of the lines are shown: those from `top`, at most `height`."""

    top: int = 0
    height: int = 1
    lines: int = 0

    def scroll(self, key: int) -> None:
        """Moves the window, within the lines."""
        step = max(1, self.height - 1)
        moves = {LINE_DOWN: 1, LINE_UP: -1, PAGE_DOWN: step, PAGE_UP: -step, TOP: -self.lines, END: self.lines}
        self.top += moves.get(key, 0)
        self.fit()

    def fit(self) -> None:
        """Moves the window back to the lines, where there are fewer than before."""
        self.top = max(0, min(self.top, self.lines - self.height))

    @property
    def position(self) -> str:
        """Which lines are shown, where not all are."""
        last = min(self.lines, self.top + self.height)
        return "" if self.lines <= self.height else f"lines {self.top + 1}-{last} of {self.lines}  ↑ ↓ space b scroll  "


@dataclass(slots=True)
class Screen:
    """A context manager. `show` sets the content; `run` draws it, and returns when the operator quits."""

    console: Console
    window: Window = field(default_factory=Window)
    _content: RenderableType = ""
    _modes: list[Any] | None = None
    _drawn: object = None

    def __enter__(self) -> Self:
        self._modes = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)
        signal.signal(signal.SIGTERM, _end)
        self.console.control(Control.alt_screen(enable=True), Control.show_cursor(show=False))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        clear = Control.clear(), Control.home()  # a terminal without an alternate screen would keep the old lines
        self.console.control(*clear, Control.alt_screen(enable=False), Control.show_cursor(show=True))
        if self._modes is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._modes)
        self._write(self._visible(self._lines()))

    def show(self, content: RenderableType) -> None:
        """Sets what is shown at the next tick."""
        self._content, self._drawn = content, None

    def run(self, at_each_tick: Callable[[], object]) -> None:
        """Draws and scrolls until the operator quits. Raises KeyboardInterrupt at Ctrl-C."""
        while True:
            at_each_tick()
            self._draw()
            if select.select([sys.stdin], [], [], TICK)[0]:
                data = os.read(sys.stdin.fileno(), 1024)
                for key in keys(data):
                    if key == QUIT:
                        return
                    self.window.scroll(key)
                if not data:  # the terminal is gone
                    return

    def _draw(self) -> None:
        size = self.console.size
        self.window.height = max(1, size.height - 1)
        state = (size, self.window.top)
        if state == self._drawn:
            return
        lines = self._lines()
        self.window.lines = len(lines)
        self.window.fit()
        self._drawn = (size, self.window.top)
        visible = self._visible(lines)
        blank = [[Segment("")]] * (self.window.height - len(visible))
        footer = self.console.render_lines(
            Text(f"{self.window.position}q quit", style="dim", no_wrap=True, overflow="crop"), pad=False
        )[:1]
        self.console.control(Control.home())
        self._write([*visible, *blank, *footer], erase=True)

    def _lines(self) -> list[list[Segment]]:
        return self.console.render_lines(self._content, pad=False)

    def _visible(self, lines: Sequence[list[Segment]]) -> list[list[Segment]]:
        return list(lines[self.window.top : self.window.top + self.window.height])

    def _write(self, lines: Sequence[list[Segment]], *, erase: bool = False) -> None:
        """Writes the lines. `erase` removes what stood on each before, and ends without a line break."""
        segments = []
        for line in lines:
            segments += [_ERASE, *line, Segment.line()] if erase else [*line, Segment.line()]
        self.console.print(Segments(segments[:-1] if erase else segments), end="", soft_wrap=True)


def _end(_signal: int, _frame: FrameType | None) -> None:
    """Ends the process at SIGTERM as Ctrl-C does, so that the terminal gets its modes back."""
    raise SystemExit(128 + signal.SIGTERM)
