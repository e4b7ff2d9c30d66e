"""Puts a text that a command measured into its part of a document.

The part stands between two lines, which cog (`make docs`) knows too and which say to it that the text stays as it is:

    <!-- [[[cog cog.out(measured("name")) ]]] -->
    <!-- [[[end]]] -->

Knows nothing of what was measured.
"""

from pathlib import Path

END = "<!-- [[[end]]] -->"


def put_section(document: Path, name: str, text: str) -> None:
    """Replaces the text of the part; a part that the document does not have is added at its end."""
    begin = f'<!-- [[[cog cog.out(measured("{name}")) ]]] -->'
    section = f"{begin}\n{text.strip()}\n{END}"
    whole = document.read_text() if document.exists() else "# Reliability\n"
    if begin in whole:
        before, _, rest = whole.partition(begin)
        whole = before + section + rest.partition(END)[2]
    else:
        whole = f"{whole.rstrip()}\n\n{section}\n"
    document.write_text(whole)
