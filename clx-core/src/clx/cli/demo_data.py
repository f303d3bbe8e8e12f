"""The messages of ``clx demo``: letters to a shop in eight topics, with the faults of real data.

``demo_messages.csv`` was written for clx. Its column ``part`` names the file that a message goes into,
``topics`` has the right labels with the main one first, and ``mistake`` a wrong label that was given
instead. Some messages occur twice, some with two labels, some in both files, and three are longer than
the default base model reads.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from clx.errors import RunExistsError
from clx.ml.run_directory.files import writing

SEPARATOR = "|"
MESSAGES, ANSWERS, TEST, NEW = "messages.csv", "answers.csv", "test.csv", "new.csv"


@dataclass(frozen=True)
class Message:
    """A message of the demo.

    Attributes:
        part: ``"train"``, ``"test"`` or ``"new"``.
        text: the message.
        topics: its right labels, the main one first; empty for a new message.
        mistake: the wrong label that it was given, or an empty string.
    """

    part: str
    text: str
    topics: tuple[str, ...]
    mistake: str = ""

    def right_row(self) -> list[str]:
        """Return the row of a table with the right labels: text, label, labels."""
        return [self.text, self.topics[0], SEPARATOR.join(self.topics)]

    def given_row(self) -> list[str]:
        """Return the same row with the labels that the message was given."""
        if not self.mistake:
            return self.right_row()
        labels = [self.mistake, *(each for each in self.topics[1:] if each != self.mistake)]
        return [self.text, self.mistake, SEPARATOR.join(labels)]


def all_messages() -> list[Message]:
    """Return all messages in the order of the package's file."""
    text = (resources.files("clx.cli") / "demo_messages.csv").read_text(encoding="utf-8")
    return [
        Message(
            row["part"],
            row["text"],
            tuple(filter(None, row["topics"].split(SEPARATOR))),
            row["mistake"],
        )
        for row in csv.DictReader(text.splitlines())
    ]


def write_data(folder: Path) -> dict[Path, int]:
    """Write the messages as csv files and return the number of rows of each file.

    Args:
        folder: a folder that does not exist or is empty.

    Raises:
        RunExistsError: there is something in the folder.
        RunDirError: the folder cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunExistsError(
            f"{folder} already exists, and the demo overwrites nothing: choose another --directory"
        )
    parts: dict[str, list[Message]] = {"train": [], "test": [], "new": []}
    for message in all_messages():
        parts[message.part].append(message)
    columns = ["text", "label", "labels"]
    tables = {
        MESSAGES: [columns, *(message.given_row() for message in parts["train"])],
        ANSWERS: [columns, *(message.right_row() for message in parts["train"])],
        TEST: [columns, *(message.right_row() for message in parts["test"])],
        NEW: [columns[:1], *([message.text] for message in parts["new"])],
    }
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in tables.items():
            _write(folder / name, rows)
    return {folder / name: len(rows) - 1 for name, rows in tables.items()}


def _write(path: Path, rows: Iterable[Iterable[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
