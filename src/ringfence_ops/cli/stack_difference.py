"""Shows what a deployment changes in a stack: settings with their old and new values, code, template and tags."""

from collections.abc import Iterator

from ringfence.core.deployment import CLUSTER_TAG
from ringfence_ops.cli.text import Text
from ringfence_ops.cloudformation.stacks import ChangeSet


def changed_parts(change_set: ChangeSet) -> str:
    """`changes code and configuration`, for an update; empty for what changes no existing stack."""
    parts = [str(part) for part in change_set.difference.parts]
    if not parts:
        return ""
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def difference_rows(change_set: ChangeSet) -> Iterator[list[Text]]:
    """A row for each changed value: its name, its old and its new value."""
    difference = change_set.difference
    for parameter in difference.parameters:
        yield _row(parameter.setting, _value(parameter.was), _value(parameter.becomes))
    if difference.code is not None:
        was, becomes = _place(difference.code.was), _place(difference.code.becomes)
        is_moved = was == becomes  # the same code in another bucket
        yield _row("code", difference.code.was if is_moved else was, difference.code.becomes if is_moved else becomes)
    if difference.template:
        yield _row("template", None, None)
    for tag in change_set.tags:
        yield _row(f"{tag.group}, tag {CLUSTER_TAG}", "none" if tag.was is None else tag.was, tag.becomes)


def _row(name: str, was: str | None, becomes: str | None) -> list[Text]:
    values = Text() if was == becomes else Text(f"{'unknown' if was is None else was} → {becomes or 'unknown'}")
    return [Text(f"~ {name}", style="yellow"), values]


def _value(value: str | None) -> str:
    return "not set" if value is None else value or "empty"


def _place(uri: str | None) -> str | None:
    """The last part of a URI: it is named after the content."""
    return None if uri is None else uri.rpartition("/")[2]
