"""Leaves out of three libraries what they import at every start, and what the engine never uses.

The importing alone is a tenth of a cold start: botocore's generator of documentation, which wants an HTML parser;
urllib3's look for an HTTP/2 library that the artefact does not hold, which wants packages' metadata and zip files; and
the queries in which Powertools' logger can look for a correlation id, which want what later Pythons' typing has.
Needs nothing but the standard library, and knows nothing of how the artefact is built.
"""

from collections.abc import Mapping
from pathlib import Path

_NO_DOCUMENTATION = '''"""Left out of this artefact: what would document the operations of a client."""


class _Nothing(str):
    """Takes whatever a text would have been made of."""

    def __new__(cls, *_, **__):
        return super().__new__(cls)


ClientMethodDocstring = PaginatorDocstring = WaiterDocstring = _Nothing
'''

LEFT_OUT: Mapping[str, str] = {
    "aws_lambda_powertools/utilities/jmespath_utils/__init__.py": "",
    "botocore/docs/__init__.py": "",
    "botocore/docs/docstring.py": _NO_DOCUMENTATION,
    "urllib3/http2/__init__.py": "",
}
"""The modules with what stands in their place."""


def prune(packages: Path) -> None:
    """Prunes the directory in place. Raises FileNotFoundError where a library no longer has such a module."""
    for name, content in LEFT_OUT.items():
        module = packages / name
        if not module.is_file():
            raise FileNotFoundError(f"{name} is to be left out, and there is none: check distribution/prune_code.py")
        module.write_text(content)
