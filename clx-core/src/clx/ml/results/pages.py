"""Fills in ``report.html`` from a run directory, an evaluation or a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx import __version__
from clx.ml.report import Comparison, DataSummary, ReportData, Section, render_report
from clx.ml.results.cascade import cascade_curve, cascade_in_words
from clx.ml.results.ending import kept_in_words, stopped_in_words
from clx.ml.results.json_tables import is_finite_number, object_or_empty, table_from_json
from clx.ml.results.row_split import split_sentence
from clx.ml.results.student_pages import student_sections
from clx.ml.results.tuning_pages import tuning_sections
from clx.ml.run_directory.config import CONTINUED_FROM, STUDENT_OF
from clx.ml.run_directory.layout import ENVIRONMENT, LOGS, METRICS_LOG, RunDir
from clx_runtime.files import read_json_or_empty

if TYPE_CHECKING:
    import pandas as pd

_COMPARED = ("own", "other", "difference", "low", "high")
"""The columns of :attr:`clx.ml.results.comparison.Comparison.metrics`."""

NO_EVALUATION = (
    "There was no evaluation data, so nothing here says how good the predictions are. Train with "
    "eval_data, such as eval_data=0.2, or write a report of labeled rows: run.report(path, data)."
)

_NOT_SHOWN = ("label_names", "thresholds")
"""Config keys that are long and that other parts of the page show."""


def run_report(
    directory: RunDir,
    evaluation: Mapping[str, Any] | None = None,
    sections: Sequence[Section] = (),
    name: str | None = None,
) -> str:
    """Return the report of a run directory.

    Args:
        directory: a run with config and results; environment and log may be missing.
        evaluation: ``EvaluationResult.to_dict()``, to replace the evaluation on the eval data.
        sections: the sections that plugins add.
        name: the run's name, the name of the directory by default.
    """
    config, results = directory.read_config(), directory.read_results()
    environment = read_json_or_empty(directory.path / ENVIRONMENT)
    found = object_or_empty(results.get("evaluation")) if evaluation is None else evaluation
    name = name or directory.path.name
    facts = {
        "Task": config["task"],
        "Base model": config.get("base_model_name"),
        "Continued from": object_or_empty(config.get(CONTINUED_FROM)).get("run_name"),
        "Student of": object_or_empty(config.get(STUDENT_OF)).get("run_name"),
        "Training rows": object_or_empty(results.get("rows")).get("train"),
        "Steps": results.get("steps"),
        "Kept": kept_in_words(results),
        "Stopped by": stopped_in_words(results),
        "Trained": results.get("finished"),
        "Decisions set": _changed(results.get("decisions_history")),
        "Cascade": cascade_in_words(results),
        "Labels changed": _changed(results.get("labels_history")),
        **learned_in_words(found),
        "clx": config.get("clx_version"),
    }
    return render_report(
        ReportData(
            title=name,
            subtitle=f"Evaluation, training and data of this {config['task']} model.",
            notice="" if found else NO_EVALUATION,
            facts={key: value for key, value in facts.items() if value is not None},
            log=_log(directory),
            data=_data_summary(results),
            sections=[*student_sections(results), *tuning_sections(results), *sections],
            environment=environment,
            config={key: value for key, value in config.items() if key not in _NOT_SHOWN},
            comparison=_with_earlier(results),
            cascade=cascade_curve(results),
            **_evaluated(found),
        )
    )


def evaluation_report(about: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    """Return the report of one evaluation.

    Args:
        about: names and values for the top of the page; ``run`` is its title.
        evaluation: ``EvaluationResult.to_dict()``.
    """
    rows, truncated = evaluation.get("rows", 0), evaluation.get("truncated", 0)
    return render_report(
        ReportData(
            title=str(about.get("run") or "Evaluation"),
            subtitle="An evaluation on labeled data.",
            facts={
                **{key: value for key, value in about.items() if key != "run"},
                **learned_in_words(evaluation),
                "clx": __version__,
            },
            data=DataSummary({"evaluation": rows}, {"evaluation": truncated}),
            **_evaluated(evaluation),
        )
    )


def comparison_report(
    names: tuple[str, str],
    metrics: pd.DataFrame,
    fixed: pd.DataFrame,
    broken: pd.DataFrame,
    p_value: float | None,
    facts: Mapping[str, str],
) -> str:
    """Return the report of a comparison: how the second run differs from the first.

    The arguments are attributes of :class:`clx.ml.results.comparison.Comparison`.

    Args:
        names: the names of the two runs.
        metrics: columns ``own``, ``other``, ``difference`` (other − own), ``low``, ``high``.
        fixed: the rows that only the second run predicts correctly.
        broken: the rows that only the first run predicts correctly.
        p_value: McNemar's test of fixed against broken rows, if predictions are right or wrong.
        facts: names and values for the top of the page.
    """
    first, second = names
    columns = {"other": "this", "own": "other"}
    test = {} if p_value is None else {"p_value": p_value}
    return render_report(
        ReportData(
            title=f"{second} compared with {first}",
            subtitle="Two runs on the same rows.",
            facts={**facts, "clx": __version__},
            comparison=Comparison(
                names=(second, first),
                metrics=metrics.rename(columns=columns)[
                    ["this", "other", "difference", "low", "high"]
                ],
                fixed=_renamed(fixed, names),
                broken=_renamed(broken, names),
                mcnemar=test | ({"fixed": len(fixed), "broken": len(broken)} if test else {}),
            ),
        )
    )


def learned_in_words(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """Return how many evaluated rows the run was trained on, if it was on any, for a page.

    Args:
        evaluation: ``EvaluationResult.to_dict()``.
    """
    learned, rows = evaluation.get("learned_rows"), evaluation.get("rows")
    if not learned or not (is_finite_number(learned) and is_finite_number(rows)):
        return {}
    return {"Evaluated rows that it was trained on": f"{learned:,} of {rows:,}"}


def _with_earlier(results: Mapping[str, Any]) -> Comparison | None:
    """Return the comparison with the run that was continued, None if there is none."""
    values = object_or_empty(object_or_empty(results.get("continued")).get("comparison"))
    metrics = table_from_json(values.get("metrics"))
    if metrics is None or not set(_COMPARED) <= set(metrics.columns):
        # Another program may have written the results.
        return None
    counts = {key: values.get(key) for key in ("p_value", "fixed", "broken")}
    return Comparison(
        names=(str(values.get("other")), str(values.get("own"))),
        metrics=metrics.rename(columns={"other": "this", "own": "other"})[
            ["this", "other", "difference", "low", "high"]
        ],
        mcnemar=counts if counts["p_value"] is not None else {},
    )


def _renamed(rows: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    first, second = names
    return rows.rename(
        columns={
            "given": "label",
            "own_predicted": f"{first} prediction",
            "own_score": f"{first} score",
            "other_predicted": f"{second} prediction",
            "other_score": f"{second} score",
        }
    )


def _evaluated(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    tables = object_or_empty(evaluation.get("tables"))
    return {
        "metrics": object_or_empty(evaluation.get("metrics")),
        "evaluated_rows": evaluation.get("rows"),
        "per_label": table_from_json(tables.get("per_label")),
        "confusion": table_from_json(tables.get("confusion")),
        "cooccurrence": table_from_json(tables.get("co_occurrence")),
        "calibration": table_from_json(tables.get("calibration")),
        "decision_curve": table_from_json(tables.get("decision_curve")),
        "mistakes": table_from_json(evaluation.get("mistakes")),
        "suspicious": table_from_json(evaluation.get("suspicious_labels")),
    }


def _data_summary(results: Mapping[str, Any]) -> DataSummary:
    import pandas as pd

    check = object_or_empty(results.get("data_check"))
    counts = {
        part.removesuffix("_data"): pd.Series(values, dtype="int64")
        for part, values in object_or_empty(check.get("label_counts")).items()
    }
    return DataSummary(
        rows=object_or_empty(results.get("rows")),
        truncated=object_or_empty(results.get("truncated")),
        label_counts=pd.DataFrame(counts) if counts else None,
        findings=[finding for finding in check.get("findings") or () if isinstance(finding, dict)],
        split=split_sentence(results["split"]) if object_or_empty(results.get("split")) else "",
    )


def _changed(history: Any) -> str | None:
    """Return when a run was last changed, and how if that is short; None if it never was."""
    if not isinstance(history, list) or not history or not isinstance(history[-1], dict):
        return None
    last = history[-1]
    said = [f"{old} is now {new}" for old, new in object_or_empty(last.get("renamed")).items()]
    said += [
        f"{', '.join(of)} are now {new}" for new, of in object_or_empty(last.get("merged")).items()
    ]
    return ": ".join([str(last.get("when")), *(["; ".join(said)] if 0 < len(said) <= 4 else [])])


def _log(directory: RunDir) -> list[dict[str, Any]]:
    path = directory.path / LOGS / METRICS_LOG
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            # A training that was killed may have written half a line.
            continue
        if isinstance(value, dict):
            lines.append(value)
    return lines
