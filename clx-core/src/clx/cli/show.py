"""``clx show``: show what the files of a saved run contain."""

from __future__ import annotations

from typing import Any

from clx.cli.output import Output, clipped, field
from clx.cli.parameters import JsonOption, RunArgument

BOOKKEEPING = (
    "schema_version",
    "run_name",
    "task",
    "task_distribution",
    "task_version",
    "clx_version",
)
LABELS_WIDTH = 400


def show(run_name: RunArgument, as_json: JsonOption = False) -> None:
    """Show the contents of a trained run without loading its model.

    Prints its path, sizes, metrics, config, labels and versions. In a pipe: one name and value per
    line, separated by a tab.
    """
    with Output(as_json) as out:
        facts = run_facts(run_name)
        if as_json:
            out.json(facts)
        else:
            _write(out, facts)


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


def _write(out: Output, facts: dict[str, Any]) -> None:
    from clx.ml.machine.disk import readable
    from clx.ml.results.ending import kept_in_words, stopped_in_words

    config, results, environment = facts["config"], facts["results"], dict(facts["environment"])
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
    files = ((name, readable(size)) for name, size in facts["files"].items())
    out.fields(files, "Files", prefix="files.")
    out.fields(facts["metrics"].items(), "Metrics", prefix="metrics.")
    rows = results.get("rows")
    counts = [(f"rows.{part}", n) for part, n in rows.items()] if isinstance(rows, dict) else []
    counts += [(key, results[key]) for key in ("steps", "epochs", "seconds") if key in results]
    words = [("kept_model", kept_in_words(results)), ("stopped", stopped_in_words(results))]
    counts += [(key, value) for key, value in words if value is not None]
    out.fields(((key, field(value)) for key, value in counts), "Training", prefix="results.")
    options = {key: value for key, value in config.items() if key not in BOOKKEEPING}
    labels = options.get("label_names")
    if isinstance(labels, list):
        options["label_names"] = _labels(out, labels)
    out.fields(options.items(), "Config", prefix="config.")
    versions = environment.pop("versions", None)
    versions = versions if isinstance(versions, dict) else {}
    out.fields([*environment.items(), *versions.items()], "Trained with", prefix="environment.")


def _labels(out: Output, labels: list[Any]) -> Any:
    if not out.is_terminal:
        return labels
    return clipped(f"{len(labels)}: {', '.join(map(str, labels))}", LABELS_WIDTH)
