"""What the build of a wheel or an sdist adds to the sources: the directory that `distribution.shipped` fills.

An sdist has this directory beside its sources, so that a wheel made of it has the same bytes, whichever Python builds
it. An editable install needs none: it deploys the checkout.

Source: Hatch documentation, "Build hook plugins" and "Custom build hook".
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

IN_SDIST, IN_WHEEL = "shipped", "ringfence_ops/shipped"


class ShippedHook(BuildHookInterface[Any]):
    """Hatch finds this class by its base class."""

    PLUGIN_NAME = "custom"
    _made: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Is called before the build."""
        if version == "editable":
            return
        root = Path(self.root)
        directory = root / IN_SDIST
        if not directory.is_dir():
            sys.path[:0] = [self.root, str(root / "src")]
            from distribution import shipped  # noqa: PLC0415  # not on the path before

            self._made = directory = Path(tempfile.mkdtemp(prefix="ringfence-"))
            shipped.build(directory)
        build_data["force_include"][str(directory)] = IN_SDIST if self.target_name == "sdist" else IN_WHEEL

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  # Hatch's signature
        """Is called after the build."""
        if self._made is not None:
            shutil.rmtree(self._made)
