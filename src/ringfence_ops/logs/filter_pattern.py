"""Values in filter patterns of CloudWatch Logs. Pure.

Source: CloudWatch Logs User Guide, "Filter pattern syntax", JSON.
"""


def quoted(value: str) -> str:
    """A text in a filter pattern."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
