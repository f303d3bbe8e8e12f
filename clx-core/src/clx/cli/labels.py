"""``clx labels``: find wrong labels in data; or list, rename or merge the labels of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from clx.cli.label_errors import Search, find_errors
from clx.cli.metric_tables import write_frame, write_metrics
from clx.cli.options_of_run import (
    AssignmentsOption,
    BaseModelOption,
    LabelColumnsOption,
    LabelNamesOption,
    given_options,
)
from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    GroupColumnOption,
    HeaderOption,
    JsonOption,
    LabelColumnOption,
    NoHeaderOption,
    SeparatorOption,
    TextColumnOption,
    TimeColumnOption,
    comma_separated,
    reading_options,
    run_names,
)
from clx.cli.run_or_data import names_data
from clx.cli.task_names import DEFAULT_TASK, task_names
from clx.cli.train import data_or_share
from clx.errors import ConfigError
from clx.ml.results.corrections import CONFIDENT, ORIGINAL
from clx.problems import cell, names


def labels(
    context: typer.Context,
    word: Annotated[
        str,
        typer.Argument(
            metavar="RUN|DATA",
            help="Name or directory of a run; or labeled data: a file, a folder, a quoted glob, a query "
            "or an address.",
            autocompletion=run_names,
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help=f"Of DATA: the task; `clx tasks` lists them. [default: {DEFAULT_TASK}]",
            autocompletion=task_names,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Of DATA: write all rows with suggested labels to this file, such as fixed.csv.",
        ),
    ] = None,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept",
            help=f"With -o: replace labels whose suggestion has a confidence of at least {CONFIDENT}; "
            f"the column {ORIGINAL} keeps the old ones.",
        ),
    ] = False,
    accept_above: Annotated[
        float | None,
        typer.Option(metavar="P", help="Like --accept, from this confidence on, such as 0.7."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing FILE.")
    ] = False,
    top: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Of DATA: the N most suspicious rows [default: those that look wrong]"
        ),
    ] = None,
    folds: Annotated[int, typer.Option(metavar="N", help="Of DATA: the number of folds.")] = 5,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="Give a label a new name. May be repeated."),
    ] = None,
    merge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NEW=A,B", help="Make one label of several; needs --data. May be repeated."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DATA", help="Labeled data to fit merged labels to."),
    ] = None,
    eval_data: Annotated[
        str | None,
        typer.Option(
            "--eval",
            metavar="DATA",
            help="Labeled data to evaluate on, or a share of --data, as 0.2.",
        ),
    ] = None,
    group_column: GroupColumnOption = None,
    time_column: TimeColumnOption = None,
    label_names: LabelNamesOption = None,
    label_columns: LabelColumnsOption = None,
    base_model: BaseModelOption = None,
    assignments: AssignmentsOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    device: DeviceOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find wrong labels in data, or change those of a run.

    For DATA, prints each suspicious row with the given label, a suggested one, and the probability of
    each; -o writes a file to correct and to train on, in which --accept replaces the labels whose
    suggestion is confident. For RUN, lists, renames or merges the labels, and prints a row per label,
    and after a merge the metrics too. In a pipe: tables with headings, fields separated by tabs.
    """
    reading = reading_options(separator, encoding, header)
    of_data = {
        "--task": task,
        "--output": output,
        "--overwrite": overwrite or None,
        "--accept": accept or None,
        "--accept-above": accept_above,
        "--top": top,
        "--label-names": label_names,
        "--label-columns": label_columns,
        "--base-model": base_model,
        "--set": assignments,
    }
    of_run = {
        "--rename": rename,
        "--merge": merge,
        "--data": data,
        "--eval": eval_data,
        "--group-column": group_column,
        "--time-column": time_column,
    }
    with Output(as_json, no_header) as out:
        if task is None and not names_data(word):
            _refuse(of_data, f"are for labeled data, but {word!r} is a run")
            change = Change(rename, merge, data, eval_data)
            columns = {"text_column": text_column or "text", "label_column": label_column}
            split = {"group_column": group_column, "time_column": time_column}
            _of_run(out, word, device, change, {**columns, **split, **reading})
            return
        _refuse(of_run, f"are for the labels of a run, but {word!r} is data")
        accepted = CONFIDENT if accept and accept_above is None else accept_above
        find_errors(
            out,
            Search(
                word,
                task,
                given_options(context),
                assignments,
                reading,
                folds,
                top,
                output,
                overwrite,
                accepted,
            ),
        )


def _refuse(options: Mapping[str, Any], why: str) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ConfigError(f"{names(given)} {why}")


@dataclass(frozen=True)
class Change:
    """A change of the labels of a run, as the options of the command have it."""

    rename: list[str] | None
    merge: list[str] | None
    data: str | None
    eval_data: str | None


def _of_run(
    out: Output, name: str, device: str | None, change: Change, how: Mapping[str, Any]
) -> None:
    """List the labels of a run, after changing them if that is asked for."""
    from clx.ml import training_run

    run = training_run(load=name, device=device)
    renamed = _pairs(change.rename, "--rename", "OLD=NEW")
    groups = {
        new: of if isinstance(of, list) else comma_separated(of)
        for new, of in _pairs(change.merge, "--merge", "NEW=A,B").items()
    }
    metrics: Any = {}
    if groups:
        if change.data is None:
            raise ConfigError("--merge fits the last layer again: pass labeled data (--data)")
        result = run.merge_labels(
            {**groups, **{new: [old] for old, new in renamed.items()}},
            change.data,
            None if change.eval_data is None else data_or_share(change.eval_data),
            **how,
        )
        metrics = result.metrics
    elif change.data is not None or change.eval_data is not None:
        raise ConfigError("--data and --eval are for --merge only")
    elif renamed:
        run.rename_labels(renamed)
    _write(out, run, metrics)


def _write(out: Output, run: Any, metrics: Any) -> None:
    from clx.ml.editing.label_table import label_table

    table = label_table(run.config, run.results)
    if out.as_json:
        rows = [{"label": label, **row} for label, row in table.to_dict("index").items()]
        about = {"run": run.run_name, "run_dir": run.run_dir, "labels": rows}
        out.json({**about, "metrics": metrics} if metrics else about)
        return
    if metrics:
        write_metrics(out, metrics)
    write_frame(out, run.run_name, table)


def _pairs(words: list[str] | None, option: str, form: str) -> dict[str, Any]:
    """Return what an option says: names before and after ``=``, or JSON for names that have a ``=``.

    Raises:
        ConfigError: a word is neither, or repeats a name.
    """
    pairs: list[tuple[str, Any]] = []
    for word in words or ():
        if word.startswith("{"):
            try:
                pairs += json.loads(word).items()
            except ValueError as error:
                raise ConfigError(f"{option} {cell(word)} is not valid JSON: {error}") from error
            continue
        before, equals, after = word.partition("=")
        if not equals or not before.strip() or not after.strip():
            raise ConfigError(
                f"{option} {cell(word)} is not {form} (names that contain = or , need JSON, such as "
                f'{option} \'{{"a=b": "c"}}\')'
            )
        pairs.append((before.strip(), after.strip()))
    repeated = [name for name, _ in pairs if [each for each, _ in pairs].count(name) > 1]
    if repeated:
        raise ConfigError(f"{option} names {cell(repeated[0])} more than once")
    return dict(pairs)
