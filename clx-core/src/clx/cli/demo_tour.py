"""The steps of ``clx demo``: each is shown as a command or as lines of Python, and then run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import dedent, fill, indent
from typing import Any

from clx.cli.demo_data import ANSWERS, MESSAGES, NEW, TEST
from clx.cli.failures import complain, output_may_close

TASKS = ("classification", "multi-label-classification")
_WIDTH = 79


def require_tasks() -> None:
    """Check that the tasks of the demo are installed.

    Raises:
        TaskNotFoundError: a task is not installed; the message says how to install it.
        PluginError: a task is broken.
    """
    from clx.ml import task_registry

    for name in TASKS:
        _ = task_registry[name]


def give_tour(
    folder: Path, files: Mapping[Path, int], run: Callable[[Sequence[str]], None]
) -> None:
    """Run all steps of the demo.

    Args:
        folder: the folder with the messages, into which everything else is written.
        files: the files of messages with their numbers of rows.
        run: runs a command from the words after ``clx``.
    """
    tour = _Tour(folder, run)
    try:
        _introduce(tour, files)
        _look(tour)
        _train_and_correct(tour)
        _measure(tour)
        _predict(tour)
        _end(tour)
    except BaseException:
        complain(
            f"The demo did not finish. What it wrote is in {folder}; remove it to start again."
        )
        raise


class _Tour:
    """Shows and runs the steps.

    Args:
        folder: the folder of the demo.
        run: runs a command from the words after ``clx``.
    """

    def __init__(self, folder: Path, run: Callable[[Sequence[str]], None]) -> None:
        self._folder = folder
        self._run = run
        self._names: dict[str, Any] = {}
        self._steps = 0

    def path(self, *parts: str) -> str:
        """Return the path of a file in the folder of the demo."""
        return str(self._folder.joinpath(*parts))

    def step(self, title: str, text: str) -> None:
        """Begin a step: its number, its title, and what it is for."""
        self._steps += 1
        self.say(f"\n--- {self._steps}. {title} ---\n")
        self.say(fill(" ".join(text.split()), _WIDTH))

    def say(self, text: str) -> None:
        """Print a text."""
        with output_may_close():
            print(text, flush=True)

    def command(self, *words: str) -> None:
        """Show a command, and run it."""
        self.say(f"\n$ {shlex.join(['clx', *words])}\n")
        self._run(words)

    def python(self, code: str) -> None:
        """Show lines of Python, and run them; names are kept for the next lines."""
        code = dedent(code).strip()
        self.say("\n" + indent(code, ">>> ", lambda line: True) + "\n")
        # The same text is shown and run, so that what a reader copies is what happened here.
        with output_may_close():
            exec(compile(code, "<clx demo>", "exec"), self._names)


def _introduce(tour: _Tour, files: Mapping[Path, int]) -> None:
    about = {
        MESSAGES: "with one label each, and the faults of real data",
        ANSWERS: "the same with the right labels: the reader whom you would ask",
        TEST: "labeled with care, to measure with; nothing is trained on them",
        NEW: "without labels",
    }
    tour.say("From a csv to a model, in about two minutes on two cores.")
    tour.step(
        "The data",
        "A shop wants to know what its customers write about: account, billing, cancellation, damage, "
        "delivery, feedback, product, or returns. These files were written for this demo:",
    )
    tour.say("")
    for path, rows in files.items():
        tour.say(f"  {path}: {rows} messages {about[path.name]}")


def _look(tour: _Tour) -> None:
    tour.step(
        "Look at the data before training",
        "The check finds texts with two labels, rows that repeat others, test texts that are also in "
        "the training data, and texts that are longer than the model reads.",
    )
    tour.python(
        f"""
        import pandas as pd
        from clx.ml import training_run

        run = training_run("classification", "first", run_dir_parent={tour.path("runs")!r})
        check = run.check({tour.path(MESSAGES)!r}, {tour.path(TEST)!r})
        print(check)
        """
    )


def _train_and_correct(tour: _Tour) -> None:
    tour.step(
        "Train a first model, on the data as it is",
        "--eval 0.2 sets a fifth of the rows aside. Training measures each epoch on them, keeps the "
        "best one, and calibrates its scores.",
    )
    train = ("train", "classification")
    where = ("--eval", "0.2", "--runs-dir", tour.path("runs"))
    tour.command(*train, "first", tour.path(MESSAGES), *where)
    tour.step(
        "Find wrong labels",
        "find_label_errors scores each row with models that have not seen it. The most suspicious rows "
        "come first; some are only unusual.",
    )
    tour.python(
        f"""
        messages = pd.read_csv({tour.path(MESSAGES)!r})
        suspects = run.find_label_errors(messages)
        print(suspects.head(8).to_string(max_colwidth=48))
        """
    )
    tour.step(
        "Correct them",
        "A person reads the suspects, and the rows with two labels, and decides. Here, answers.csv is "
        "that person. Then each text is kept once, and texts of the test data are left out.",
    )
    tour.python(
        f"""
        answers = pd.read_csv({tour.path(ANSWERS)!r})
        twice = messages.index[messages.duplicated("text", keep=False)]
        read = suspects.index.union(twice)
        wrong = messages["label"] != answers["label"]
        print(f"{{len(read)}} rows read; {{wrong[read].sum()}} of {{wrong.sum()}} wrong labels found")

        messages.loc[read] = answers.loc[read]
        test = pd.read_csv({tour.path(TEST)!r})
        messages = messages.drop_duplicates("text")
        messages = messages[~messages["text"].isin(test["text"])]
        messages.to_csv({tour.path("corrected.csv")!r}, index=False)
        """
    )
    tour.step(
        "Train again, on the corrected data",
        "--set long_text=window reads long texts whole, in windows, instead of truncating them.",
    )
    corrected = (tour.path("corrected.csv"), *where, "--set", "long_text=window")
    tour.command(*train, "second", *corrected)


def _measure(tour: _Tour) -> None:
    second = tour.path("runs", "second")
    tour.step(
        "Before and after",
        "Both models on the same test rows, with an interval for each difference. An interval that "
        "contains 0 may be chance: 80 rows are few. And the first model was trained on four of them.",
    )
    tour.command("compare", second, tour.path("runs", "first"), tour.path(TEST))
    tour.step(
        "The figures of the second model",
        "Intervals show how much the metrics would change on another 80 messages. --save also writes "
        "the tables and a report to read in a browser.",
    )
    evaluation = tour.path("evaluation")
    tour.command("evaluate", second, tour.path(TEST), "--save", evaluation)


def _predict(tour: _Tour) -> None:
    tour.step(
        "Predict new messages",
        "Below the score of --min-score the model abstains, and a person decides.",
    )
    second = tour.path("runs", "second")
    tour.command("predict", second, tour.path(NEW), "--min-score", "0.5")
    tour.step(
        "Several labels per message",
        "Some messages are about two topics; the column labels has both. fine_tune=False fits only "
        "the last layer, in seconds.",
    )
    tour.python(
        f"""
        topics = training_run("multilabel", "topics", run_dir_parent={tour.path("runs")!r})
        topics.train({tour.path("corrected.csv")!r}, 0.2, fine_tune=False)
        new = pd.read_csv({tour.path(NEW)!r})
        for text, labels in zip(new["text"], topics.predict_labels(new["text"])):
            print(" + ".join(labels) or "(none)", "<-", text)
        """
    )


def _end(tour: _Tour) -> None:
    second = shlex.quote(tour.path("runs", "second"))
    tour.step("What next", "Read the report, ask the model, serve it, and train on your own data:")
    tour.say(
        f"""
  {tour.path("runs", "second", "report.html")}
      metrics, mistakes, calibration, and findings, for a browser
  clx predict {second} "the lamp is broken and I want my money back"
  clx serve {second}
  clx train classification my-run mine.csv --eval 0.2
      with your own csv, whose columns are text and label
  clx --help

In Python:

  from clx.ml import training_run
  run = training_run(load={tour.path("runs", "second")!r})
  run.predict_labels(["where is my parcel"])

Everything is in {tour.path()}; remove the folder when you are done."""
    )
