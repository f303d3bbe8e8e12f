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
CORRECTED, FAIR_TEST = "corrected.csv", "fair-test.csv"
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
        _correct(tour)
        _train(tour)
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
        self.say("\n" + indent(code, ">>> ") + "\n")
        # The same text is shown and run, so that what a reader copies is what happened here.
        with output_may_close():
            exec(compile(code, "<clx demo>", "exec"), self._names)


def _introduce(tour: _Tour, files: Mapping[Path, int]) -> None:
    about = {
        MESSAGES: "with labels, and with the faults of real data",
        ANSWERS: "the same messages with the right labels",
        TEST: "to measure with; no model is trained on them",
        NEW: "without labels",
    }
    tour.say("From a csv to a model, in about two minutes on two cores.")
    tour.step(
        "The data",
        "A shop wants to know what its customers write about: account, billing, cancellation, damage, "
        "delivery, feedback, product, or returns. These messages were written for this demo:",
    )
    tour.say("")
    for path, rows in files.items():
        tour.say(f"  {rows:3}  {path}  {about[path.name]}")


def _look(tour: _Tour) -> None:
    tour.step(
        "Check the data before training",
        "The check finds texts with two labels, rows that repeat others, test texts that are also in "
        "the training data, and texts that are longer than the model reads.",
    )
    tour.python(
        f"""
        import pandas as pd
        from clx.ml import training_run

        messages = pd.read_csv({tour.path(MESSAGES)!r})
        test = pd.read_csv({tour.path(TEST)!r})
        first = training_run("classification", "first", run_dir_parent={tour.path("runs")!r})
        print(first.check(messages, test))
        """
    )
    tour.step(
        "Train a quick first model, on the data as it is",
        "fine_tune=False fits only the last layer, in seconds. A fifth of the rows (0.2) is set aside "
        "to measure on. The warning repeats the findings of the check.",
    )
    tour.python(
        """
        result = first.train(messages, 0.2, fine_tune=False)
        print(f"accuracy on {result.rows['eval']} rows: {result.metrics['accuracy']:.2f}")
        """
    )


def _correct(tour: _Tour) -> None:
    tour.step(
        "Find wrong labels",
        "Each row is scored by models that have not seen it. The most suspicious rows come first. Not "
        "all of them are wrong: some messages are only unusual, or about two topics.",
    )
    tour.python(
        """
        suspects = first.find_label_errors(messages)
        print(suspects.head(8).to_string(max_colwidth=44))
        """
    )
    tour.step(
        "Correct them",
        "A person reads the suspects, and the texts that occur twice, and decides. Here, answers.csv "
        "is that person. Then each text is kept once, and texts that the model has seen are taken out "
        "of the test data.",
    )
    tour.python(
        f"""
        answers = pd.read_csv({tour.path(ANSWERS)!r})
        twice = messages.index[messages.duplicated("text", keep=False)]
        read = suspects.index.union(twice)
        wrong = messages["label"] != answers["label"]
        print(f"{{len(read)}} rows read; {{wrong[read].sum()}} of {{wrong.sum()}} wrong labels found")

        messages.loc[read] = answers.loc[read]
        messages = messages.drop_duplicates("text")
        test = test[~test["text"].isin(messages["text"])]
        messages.to_csv({tour.path(CORRECTED)!r}, index=False)
        test.to_csv({tour.path(FAIR_TEST)!r}, index=False)
        """
    )
    tour.step(
        "Before and after",
        "The same quick training on the corrected data. The accuracy rises for two reasons: the model "
        "learned from better labels, and right answers are no longer counted as mistakes, which wrong "
        "labels among the rows set aside did.",
    )
    tour.python(
        f"""
        second = training_run("classification", "second", run_dir_parent={tour.path("runs")!r})
        result = second.train(messages, 0.2, fine_tune=False)
        print(f"accuracy on {{result.rows['eval']}} rows: {{result.metrics['accuracy']:.2f}}")
        """
    )
    tour.step(
        "Compare the two models",
        "The fair comparison: the same test rows for both, and an interval for each difference. If the "
        "interval contains 0, the difference may be chance, since 76 rows are few.",
    )
    runs = [tour.path("runs", name) for name in ("second", "first")]
    tour.command("compare", *runs, tour.path(FAIR_TEST))


def _train(tour: _Tour) -> None:
    tour.step(
        "Train the whole model",
        "Now all weights are trained. After each epoch, the rows that were set aside decide which "
        "model is kept. long_text=window reads long messages whole instead of truncating them. "
        "--time-budget is for this demo: without it, training decides by itself when to end.",
    )
    train = ("train", "classification", "final", tour.path(CORRECTED), "--eval", "0.2")
    how = ("--set", "long_text=window", "--time-budget", "60s")
    tour.command(*train, *how, "--runs-dir", tour.path("runs"))
    tour.step(
        "How good is it?",
        "The intervals show how much each metric would change with other messages. --save also writes "
        "the tables, and a report to read in a browser.",
    )
    evaluation = ("--save", tour.path("evaluation"))
    tour.command("evaluate", tour.path("runs", "final"), tour.path(FAIR_TEST), *evaluation)


def _predict(tour: _Tour) -> None:
    tour.step(
        "Predict new messages",
        "Where the best score is below --min-score, the model abstains, and a person decides.",
    )
    final = tour.path("runs", "final")
    tour.command("predict", final, tour.path(NEW), "--min-score", "0.5")
    tour.step(
        "Several labels per message",
        "Some messages are about two topics, which the column labels has. A threshold per label is "
        "chosen on the rows that were set aside.",
    )
    tour.python(
        f"""
        topics = training_run("multilabel", "topics", run_dir_parent={tour.path("runs")!r})
        topics.train(messages, 0.2, fine_tune=False)
        new = pd.read_csv({tour.path(NEW)!r})
        for text, labels in zip(new["text"], topics.predict_labels(new["text"])):
            print(" + ".join(labels) or "(no label)", "<-", text)
        """
    )


def _end(tour: _Tour) -> None:
    final = shlex.quote(tour.path("runs", "final"))
    tour.step("What next", "Read the report, ask the model, serve it, and train on your own data:")
    tour.say(
        f"""
  {tour.path("runs", "final", "report.html")}
      metrics, mistakes, calibration, and findings, for a browser
  clx predict {final} "the lamp is broken and I want my money back"
  clx serve {final}
  clx train classification my-run mine.csv --eval 0.2
      with your own csv, whose columns are text and label
  clx --help

In Python:

  from clx.ml import training_run
  run = training_run(load={tour.path("runs", "final")!r})
  run.predict_labels(["where is my parcel"])

Everything is in {tour.path()}; remove the folder when you are done."""
    )
