"""Puts the package ``clx_runtime`` into the wheel and the sdist."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RuntimeSource(BuildHookInterface[Any]):
    """Takes the package from the sdist, or from clx-core in the repository."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the package to the files of the build."""
        root = Path(self.root)
        own = root / "clx_runtime"
        source = own if own.is_dir() else root.parent / "clx-core" / "src" / "clx_runtime"
        for path in sorted(source.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(source).as_posix()
                build_data["force_include"][str(path)] = f"clx_runtime/{name}"
