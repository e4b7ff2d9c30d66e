"""Puts what a proof found into its section of a document, between `<!-- name:begin -->` and `<!-- name:end -->`.

Knows nothing of what is proved.
"""

from pathlib import Path


def put_section(document: Path, name: str, text: str) -> None:
    """Replaces the section's text; a document without the section has it added at its end."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    whole = document.read_text() if document.exists() else "# Reliability\n"
    if begin in whole:
        before, _, rest = whole.partition(begin)
        whole = before + section + rest.partition(end)[2]
    else:
        whole = f"{whole.rstrip()}\n\n{section}\n"
    document.write_text(whole)
