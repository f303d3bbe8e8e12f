"""Runs the command line in this process or in a new one, and imitates a terminal."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from clx.cli import main

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    """A stdout that claims to be a terminal."""

    def isatty(self):
        return True


class Cli:
    """Runs commands in this process and keeps the last status, stdout and stderr."""

    def __init__(self, capsys, monkeypatch):
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.status = None
        self.out = self.err = ""

    def __call__(self, *arguments, stdin: bytes | None = None):
        self._capsys.readouterr()
        if stdin is not None:
            text = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
            self._monkeypatch.setattr(sys, "stdin", text)
        self.status = main([str(argument) for argument in arguments])
        self.out, self.err = self._capsys.readouterr()
        return self

    def on_terminal(self, *arguments, width=100):
        """Run a command with a terminal as stdout; ``out`` is the text that it shows."""
        terminal = Terminal()
        with self._monkeypatch.context() as patch:
            patch.setenv("COLUMNS", str(width))
            patch.setenv("NO_COLOR", "1")
            patch.setenv("TERM", "xterm")
            patch.setattr(sys, "stdout", terminal)
            self.status = main([str(argument) for argument in arguments])
        self.out = _STYLE.sub("", terminal.getvalue())
        self.err = self._capsys.readouterr().err
        return self

    @property
    def lines(self):
        """The fields of each line of stdout."""
        return [line.split("\t") for line in self.out.splitlines()]


def process(*arguments, folders=(), code=None, **options):
    """Run ``python -m clx`` or Python code in a new process and return the completed process."""
    command = ["-m", "clx"] if code is None else ["-c", code]
    paths = [*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, *command, *map(str, arguments)],
        **{
            "env": {**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            "capture_output": "stdout" not in options,
            "text": True,
            "timeout": 600,
            "check": False,
            **options,
        },
    )


def install(folder: Path, name: str, entry_points: str, **modules: str) -> Path:
    """Write a distribution as pip would, with modules next to its metadata; return the folder."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)
    return folder
