"""``clx show``: show what the files of a saved run contain."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from clx.cli.metric_tables import write_metrics
from clx.cli.output import Output, field
from clx.cli.parameters import JsonOption, RunArgument

BOOKKEEPING = (
    "schema_version",
    "run_name",
    "task",
    "task_distribution",
    "task_version",
    "clx_version",
)
USUAL = {"head_init": "probe", "pooling": "auto", "calibrate": True}
"""The default of options whose default depends on the task, in most tasks."""

LABELS_WIDTH = 400
"""Characters of label names that a terminal shows."""

AllOption = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Show all options, also those with their default, the files, and the versions.",
    ),
]


def show(run_name: RunArgument, everything: AllOption = False, as_json: JsonOption = False) -> None:
    """Show the contents of a trained run without loading its model.

    Prints its metrics and training, the options that differ from their default, its path and size.
    In a pipe: one name and value per line, separated by a tab.
    """
    with Output(as_json) as out:
        facts = run_facts(run_name)
        if as_json:
            out.json(facts)
        else:
            _write(out, facts, everything)


def run_facts(run_name: str) -> dict[str, Any]:
    """Return what ``clx show --json`` prints.

    Raises:
        RunNotFoundError: the run does not exist.
        RunDirError: the run is damaged.
    """
    from clx.cli.saved import environment, sizes, trained_at
    from clx.ml.run_directory.finding import find_run, locate
    from clx.ml.run_directory.notes import read_note

    run = find_run(locate(run_name))
    config, results = run.read_config(), run.read_results()
    metrics, files = results.get("metrics"), sizes(run.path)
    return {
        "name": run.path.name,
        "path": run.path,
        "task": config["task"],
        "trained_at": trained_at(run).isoformat(timespec="seconds"),
        "note": read_note(run),
        "labels": config.get("label_names"),
        "metrics": metrics if isinstance(metrics, dict) else {},
        "config": config,
        "results": results,
        "environment": environment(run),
        "files": files,
        "size": sum(files.values()),
    }


def _write(out: Output, facts: dict[str, Any], everything: bool) -> None:
    from clx.ml.machine.disk import readable

    if out.is_terminal:
        write_metrics(out, facts["metrics"], "Metrics")
    else:
        out.fields(facts["metrics"].items(), prefix="metrics.")
    out.fields(_training(facts["results"]), "Training", prefix="results.")
    out.fields(_options(out, facts["config"], everything), "Options", prefix="config.")
    config = facts["config"]
    plugin = " ".join(
        str(config[key]) for key in ("task_distribution", "task_version") if config.get(key)
    )
    out.fields(
        [
            ("run", facts["name"]),
            ("path", facts["path"]),
            ("task", f"{facts['task']} ({plugin})" if plugin else facts["task"]),
            ("trained", facts["trained_at"]),
            *([("note", facts["note"])] if facts["note"] else []),
            ("size", readable(facts["size"])),
        ],
        "Run",
    )
    if not everything:
        out.line("--all shows all options, the files, and the versions.")
        return
    files = ((name, readable(size)) for name, size in facts["files"].items())
    out.fields(files, "Files", prefix="files.")
    environment = dict(facts["environment"])
    versions = environment.pop("versions", None)
    versions = versions if isinstance(versions, dict) else {}
    out.fields([*environment.items(), *versions.items()], "Trained with", prefix="environment.")


def _training(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the results say about the training."""
    from clx.ml.results.ending import kept_in_words, stopped_in_words

    rows = results.get("rows")
    counts = [(f"rows.{part}", n) for part, n in rows.items()] if isinstance(rows, dict) else []
    counts += [(key, results[key]) for key in ("steps", "epochs", "seconds") if key in results]
    words = [("kept_model", kept_in_words(results)), ("stopped", stopped_in_words(results))]
    counts += [(key, value) for key, value in words if value is not None]
    return [(key, field(value)) for key, value in counts]


def _options(out: Output, config: dict[str, Any], everything: bool) -> list[tuple[str, Any]]:
    """Return the options in a config, without those that have their default unless all are wanted."""
    options = {key: value for key, value in config.items() if key not in BOOKKEEPING}
    if not everything:
        options = {key: value for key, value in options.items() if _differs(config, key, value)}
    labels = options.get("label_names")
    if isinstance(labels, list) and out.is_terminal:
        options["label_names"] = _labels(labels)
    return list(options.items())


def _differs(config: dict[str, Any], key: str, value: Any) -> bool:
    """Return whether the user, or a training that learned it, gave an option a value of its own."""
    from clx.ml.run_directory.config import LEARNED, learned_of
    from clx.ml.task.options import BY_TASK, OPTIONS

    if key in ("label_names", "base_model_name"):
        return True
    if key == LEARNED or key in learned_of(config):
        return False
    defaults = {option.name: option.default for option in OPTIONS}
    if defaults.get(key) is BY_TASK:
        return bool(value != USUAL.get(key))
    # The defaults of a task's own options would need its package.
    return bool(value != defaults[key]) if key in defaults else value not in (None, [], {})


def _labels(labels: list[Any]) -> str:
    """Return the number of labels, and the names that have room."""
    shown: list[str] = []
    for label in map(str, labels):
        if shown and len(", ".join([*shown, label])) > LABELS_WIDTH:
            break
        shown.append(label)
    more = len(labels) - len(shown)
    return f"{len(labels)}: {', '.join(shown)}" + (f" and {more} more" if more else "")
