"""The Lambda artefact: the project's own target builds it, and only after a change."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from ringfence_ops.cloudformation.artefact import BuildFailed, artefact, is_shipped_compiled, looped_template

MAKEFILE = """
build-RingfenceFunction:
\t@mkdir -p $(ARTIFACTS_DIR)/package
\t@cp src/ringfence/*.py $(ARTIFACTS_DIR)/package
\t@echo built >> builds
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose target is fast and counts its builds."""
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "src" / "ringfence").mkdir(parents=True)
    (tmp_path / "src" / "ringfence" / "handler.py").write_text("answer = 42\n")
    return tmp_path


def builds(project: Path) -> int:
    return len((project / "builds").read_text().splitlines())


def test_it_contains_the_output_of_the_target(project: Path) -> None:
    with zipfile.ZipFile(artefact(project)) as archive:
        assert archive.read("package/handler.py") == b"answer = 42\n"


def test_it_is_built_once_for_the_same_source(project: Path) -> None:
    assert artefact(project) == artefact(project)
    assert builds(project) == 1


def test_a_change_of_the_source_builds_a_new_artefact_and_deletes_the_old_one(project: Path) -> None:
    first = artefact(project)

    (project / "src" / "ringfence" / "handler.py").write_text("answer = 43\n")
    second = artefact(project)

    assert builds(project) == 2
    assert list((project / ".build").iterdir()) == [second]
    assert first != second


def test_the_same_source_gives_the_same_bytes(project: Path) -> None:
    before = artefact(project).read_bytes()

    os.utime(project / "src" / "ringfence" / "handler.py", (0, 0))
    artefact(project).unlink()

    assert artefact(project).read_bytes() == before


def test_a_failed_build_raises_with_the_reason_and_leaves_nothing(project: Path) -> None:
    (project / "Makefile").write_text("build-RingfenceFunction:\n\t@echo 'no such wheel' >&2; false\n")

    with pytest.raises(BuildFailed, match=r"build-RingfenceFunction.*Error 1"):
        artefact(project)

    assert list((project / ".build").iterdir()) == []


def test_what_a_wheel_carries_is_used_as_it_is(tmp_path: Path) -> None:
    # given the directory of a wheel, where nothing can be built
    (tmp_path / "artefact-0123456789abcdef.zip").write_bytes(b"code")
    (tmp_path / "stack.json").write_text('{"Resources": {}}')
    (tmp_path / "contents.json").write_text(json.dumps({"compiled": False}))
    # then
    assert artefact(tmp_path).read_bytes() == b"code"
    assert looped_template(tmp_path) == {"Resources": {}}
    assert is_shipped_compiled(tmp_path) is False


def test_a_checkout_builds_its_own(project: Path) -> None:
    assert is_shipped_compiled(project) is None


def test_a_template_that_cannot_be_expanded_raises_with_the_reason(project: Path) -> None:
    with pytest.raises(BuildFailed, match=r"distribution.build_template.* failed: .*No module named"):
        looped_template(project)
