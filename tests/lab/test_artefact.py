"""The Lambda artefact: the project's own target builds it, and only after a change."""

import os
import zipfile
from pathlib import Path

import pytest

from ringfence_ops.cloudformation.artefact import BuildFailed, artefact

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
