"""Writes the result of a proof into its section of a document, between `<!-- name:begin -->` and `<!-- name:end -->`.

It must not know what is proved.
"""

from pathlib import Path


def put_section(document: Path, name: str, text: str) -> None:
    """Replaces the text of the section. A document without the section gets it at its end."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    whole = document.read_text() if document.exists() else "# Reliability\n"
    if begin in whole:
        before, _, rest = whole.partition(begin)
        whole = before + section + rest.partition(end)[2]
    else:
        whole = f"{whole.rstrip()}\n\n{section}\n"
    document.write_text(whole)
