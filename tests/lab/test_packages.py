"""A lab without the packages of its extra: the start says so, instead of a server that ends."""

from pathlib import Path

import pytest

from ringfence_lab.control.lab import Lab, check_packages
from tests.labs import HOME

METADATA = """Metadata-Version: 2.1
Name: ringfence
Version: 1
Requires-Dist: botocore
Requires-Dist: boto3[crt]; extra == 'lab'
Requires-Dist: no-such-package[a,b]==1.0; extra == "lab"
Requires-Dist: not-needed; extra == 'development'
"""


@pytest.fixture
def _without_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ringfence` as if its extra had a package that is not installed."""
    (tmp_path / "ringfence-1.dist-info").mkdir()
    (tmp_path / "ringfence-1.dist-info" / "METADATA").write_text(METADATA)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("_without_a_package")
def test_a_lab_does_not_start_without_a_package_of_its_extra() -> None:
    with pytest.raises(ImportError, match=r"^no-such-package is not installed$"):
        Lab(regions=[HOME]).start()


def test_here_they_are_installed() -> None:
    check_packages()
