"""Looks at the documentation site in a browser, at the width of a phone and of a desk.

    python tools/look_at_site.py dist/site dist/site-screens

Each page must fit its width, load without an error, and ask no other server for anything; the search must find. Exit
code 1 with one line for each problem. Runs in the environment of the site, with the machine's own Chromium.
"""

import contextlib
import functools
import http.server
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WIDTHS = {"phone": (390, 844), "desk": (1440, 900)}
"""The width and the height of each screen, in CSS pixels."""

SEARCHED = {
    "migrate sample": "migrate-from-the-sample",
    "release_deadline": "settings",
    "three morning": "three-in-the",
}
"""What is typed into the search, and a part of the address of a page that must be among the results."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(site: Path) -> Iterator[str]:
    """The site on a port of this machine. Its URL."""
    handler = functools.partial(_Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def pages(site: Path) -> list[str]:
    """The paths of all pages."""
    found = sorted(site.rglob("index.html"))
    return ["/" + f"{path.parent.relative_to(site)}/".removeprefix("./") for path in found]


def look(site: Path, screens: Path) -> list[str]:
    """The problems of the site. Writes a screenshot of each page at each width."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # is there in the environment of the site alone

    problems: list[str] = []
    screens.mkdir(parents=True, exist_ok=True)
    with served(site) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (width, height) in WIDTHS.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            heard = Heard(url)
            page.on("console", heard.console)
            page.on("pageerror", heard.error)
            page.on("request", heard.request)
            for path in pages(site):
                problems += _looked(page, f"{url}{path}", f"{name} {path}")
                page.screenshot(path=screens / f"{name}-{path.strip('/').replace('/', '-') or 'home'}.png")
            page.close()
            problems += heard.problems
        problems += _searched(browser, url, screens)
        browser.close()
    return list(dict.fromkeys(problems))


class Heard:
    """What a browser reports while it shows the site at a URL."""

    def __init__(self, url: str) -> None:
        self.own = (url, "data:", "blob:")
        self.problems: list[str] = []

    def console(self, message: Any) -> None:
        """A line on the console."""
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def error(self, error: Any) -> None:
        """An error of a script."""
        self.problems.append(f"script: {error}")

    def request(self, request: Any) -> None:
        """A request of the page."""
        if not request.url.startswith(self.own):
            self.problems.append(f"asks {request.url}")


def _looked(page: Any, url: str, name: str) -> list[str]:
    answer = page.goto(url)
    problems = [] if answer is not None and answer.ok else [f"{name}: does not load"]
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wider > 0:
        problems.append(f"{name}: {wider} pixels wider than the screen")
    broken = page.evaluate("[...document.images].filter(image => !image.naturalWidth).map(image => image.src)")
    problems += [f"{name}: no image {source}" for source in broken]
    if not page.inner_text("h1").strip():
        problems.append(f"{name}: has no heading")
    return problems


def _searched(browser: Any, url: str, screens: Path) -> list[str]:
    problems = []
    for name, (width, height) in WIDTHS.items():
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(f"{url}/")
        if name == "phone":
            page.click("label[for=__search].md-header__button")
        for typed, wanted in SEARCHED.items():
            page.fill(".md-search__input", "")
            page.type(".md-search__input", typed, delay=20)
            try:
                page.wait_for_selector(f".md-search-result__link[href*='{wanted}']", timeout=20_000)
            except Exception as error:  # noqa: BLE001  # Playwright's own
                problems.append(f"{name}: the search for {typed!r} does not find {wanted}: {type(error).__name__}")
        page.screenshot(path=screens / f"{name}-search.png")
        page.close()
    return problems


def main(site: Path, screens: Path) -> int:
    """Prints the problems. Returns the exit code."""
    if CHROMIUM is None:
        sys.stderr.write("needs Chromium: apt-get install chromium\n")
        return 1
    problems = look(site, screens)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    sys.stdout.write(f"{len(pages(site))} pages at {len(WIDTHS)} widths: {len(problems)} problems\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
