"""``clx labels``: list, rename or merge the labels of a run."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from clx.cli.metric_tables import write_frame, write_metrics
from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LabelColumnOption,
    NoHeaderOption,
    RunArgument,
    SeparatorOption,
    TextColumnOption,
    comma_separated,
    reading_options,
)
from clx.cli.train import data_or_share
from clx.errors import ConfigError
from clx.problems import cell


def labels(
    run_name: RunArgument,
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
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    device: DeviceOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the labels of a run with their rows and thresholds, rename them, or merge some.

    Prints a row per label. After a merge, prints the metrics too. In a pipe: fields separated by
    tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        run = training_run(load=run_name, device=device)
        renamed = _pairs(rename, "--rename", "OLD=NEW")
        groups = {
            new: of if isinstance(of, list) else comma_separated(of)
            for new, of in _pairs(merge, "--merge", "NEW=A,B").items()
        }
        metrics: Any = {}
        if groups:
            if data is None:
                raise ConfigError("--merge fits the last layer again: pass labeled data (--data)")
            result = run.merge_labels(
                {**groups, **{new: [old] for old, new in renamed.items()}},
                data,
                None if eval_data is None else data_or_share(eval_data),
                text_column=text_column or "text",
                label_column=label_column,
                **reading_options(separator, encoding, header),
            )
            metrics = result.metrics
        elif data is not None or eval_data is not None:
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
