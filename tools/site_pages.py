"""What MkDocs does beside its own work: pages from files outside of docs/, and links that are right on the site.

The documents are written for the repository, where links name files. On the site, a link to a document is a link to its
page, and a link to a file of the code is its path.

MkDocs calls the functions by their names. Source: MkDocs User Guide, "Hooks".
"""

import posixpath
import re
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent

PAGES = {
    "README.md": "overview.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "terraform/README.md": "terraform.md",
}
"""The pages from the project's folder, by their names there."""

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")
_IMAGE = re.compile(r"(?P<start>!\[[^\[\]]*\]\()(?P<target>[^()\s]+)\)")
_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)\s*$|^(?: {4}[^\n]*\n?)+", re.MULTILINE | re.DOTALL)
_DIRECTIVE = re.compile(r"<!-- \[\[\[.*?-->|<!-- \[\[\[end\]\]\] -->")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are outside of docs/, and one that lists the decisions."""
    from mkdocs.structure.files import File  # noqa: PLC0415  # is there in the environment of the site alone

    for name, page in PAGES.items():
        content = (PROJECT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=content))
    files.append(File.generated(config, "decisions/index.md", content=decisions_page(PROJECT / "docs" / "decisions")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:  # noqa: ARG001  # MkDocs passes them
    """The page's text with the site's links, and without the marks of generated parts."""
    source = page.file.src_uri
    return converted(markdown, source, {file.src_uri for file in files})


def decisions_page(folder: Path) -> str:
    """The list of decisions."""
    lines = ["# Decisions", "", "The choices that have alternatives, and why they were made.", ""]
    for path in sorted(folder.glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def converted(markdown: str, source: str, known: set[str]) -> str:
    """The text of a page. `source` is its path in the site's folder, `known` those of all files there."""
    markdown = _DIRECTIVE.sub("", markdown)
    parts, at = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_linked(markdown[at : fence.start()], source, known), fence[0]]
        at = fence.end()
    return "".join([*parts, _linked(markdown[at:], source, known)])


def _linked(text: str, source: str, known: set[str]) -> str:
    def link(match: re.Match[str]) -> str:
        target = site_target(match["target"], source, known)
        return f"`{_plain(match)}`" if target is None else f"[{match['text']}]({target})"

    def image(match: re.Match[str]) -> str:
        return f"{match['start']}{site_target(match['target'], source, known) or match['target']})"

    return _IMAGE.sub(image, _LINK.sub(link, text))


def _plain(match: re.Match[str]) -> str:
    return match["text"].strip("`")


def site_target(target: str, source: str, known: set[str]) -> str | None:
    """Where a link of a page leads on the site; None if it leads to a file that the site does not have."""
    if re.match(r"[a-z]+:|#", target):
        return target
    path, mark, anchor = target.partition("#")
    place = _in_repository(source)
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(place), path))
    page = PAGES.get(wanted) or wanted.removeprefix("docs/")
    if page == "decisions":
        page = "decisions/index.md"
    if page not in known and (PROJECT / wanted).is_file() and not wanted.startswith("docs/"):
        return None
    relative = posixpath.relpath(page, posixpath.dirname(source) or ".")
    return f"{relative}{mark}{anchor}"


def _in_repository(source: str) -> str:
    """The path of a page's file in the repository."""
    return next((name for name, page in PAGES.items() if page == source), f"docs/{source}")
