"""A journal of all trainings, evaluations and predictions with clx, for any task."""

import json
import os
import time
from typing import Annotated

import typer

from clx.errors import ConfigError
from clx.ml import hookimpl
from clx.settings import local_data_dir


def journal_path():
    """Return the path of the journal, one JSON line per entry; the file may not exist."""
    return local_data_dir() / "journal.jsonl"


def read_journal(run_name=None):
    """Return the entries, oldest first, of one run if ``run_name`` is given."""
    path = journal_path()
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    entries = [json.loads(line) for line in lines]
    return [entry for entry in entries if run_name in (None, entry["run"])]


def write_entry(run, did, **facts):
    """Append an entry."""
    entry = {"at": time.strftime("%Y-%m-%d %H:%M:%S"), "run": run.run_name, "did": did, **facts}
    journal_path().parent.mkdir(parents=True, exist_ok=True)
    with journal_path().open("a", encoding="utf-8") as file:
        file.write(json.dumps({**entry, "task": run.name}) + "\n")


@hookimpl
def clx_training_arguments():
    """Set the seed of this machine."""
    return {"seed": int(os.environ["CLX_SEED"])} if os.environ.get("CLX_SEED") else None


@hookimpl
def clx_before_training(run, train_data, eval_data):
    """Require eval data for final runs."""
    if run.run_name.startswith("final-") and eval_data is None:
        raise ConfigError(f"{run.run_name}: a final run must be trained with eval data")
    write_entry(run, "began", rows=len(train_data))


@hookimpl
def clx_after_training(run, result):
    """Record the metrics and the duration."""
    write_entry(run, "trained", seconds=round(result.seconds, 1), metrics=result.metrics)


@hookimpl
def clx_after_evaluation(run, evaluation):
    """Record the metrics."""
    write_entry(run, "evaluated", rows=evaluation.rows, metrics=evaluation.metrics)


@hookimpl
def clx_after_prediction(run, predictions):
    """Record the number of texts."""
    write_entry(run, "predicted", rows=len(predictions))


@hookimpl
def clx_report_sections(run):
    """Show the earlier trainings under this run's name."""
    import pandas as pd

    from clx.ml.report import Section

    earlier = [e for e in read_journal(run.run_name) if e["did"] == "trained"]
    if not earlier:
        return None
    rows = [{"at": entry["at"], **entry["metrics"]} for entry in earlier]
    return [Section("Earlier trainings", "From the journal of this machine.", pd.DataFrame(rows))]


@hookimpl
def clx_commands():
    """Add ``clx journal``."""
    return [journal]


def journal(run: Annotated[str | None, typer.Argument(help="Only this run's entries.")] = None):
    """List the trainings, evaluations and predictions on this machine."""
    for entry in read_journal(run):
        typer.echo("\t".join((entry["at"], entry["run"], entry["did"], str(entry.get("rows", "")))))
