"""``clx predict``: predict texts, a file, or standard input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, tee
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clx.cli.output import Output, clipped
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    NoHeaderOption,
    RunArgument,
    SeparatorOption,
    TextColumnOption,
    comma_separated,
    reading_options,
)
from clx.cli.sources import source_of
from clx.errors import ConfigError
from clx.problems import raise_problems

if TYPE_CHECKING:
    from clx.ml import TrainingRun

TEXT_WIDTH = 80
TABLE_ROWS = 200
"""How many rows of a table a terminal shows; more rows make further tables, to bound the memory."""


def predict(
    run_name: RunArgument,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Texts, or one file, folder, glob or address of rows, or - for standard input with "
            "one text per line.",
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="TARGET",
            help="Write the rows of SOURCE and their predictions to this csv, tsv, jsonl or parquet "
            "file.",
        ),
    ] = None,
    on_error: Annotated[
        str,
        typer.Option(
            metavar="raise|skip",
            help="With -o: raise or skip rows without a valid text; skipped rows have no prediction.",
        ),
    ] = "raise",
    prefix: Annotated[
        str,
        typer.Option(metavar="P", help="With -o: prefix for the names of the predicted columns."),
    ] = "",
    as_texts: Annotated[
        bool, typer.Option("--text", help="Take SOURCE as a text, even if it reads like a file.")
    ] = False,
    text_column: TextColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    no_header: NoHeaderOption = False,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="With -o: the input columns to keep [default: all]"),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Texts per batch [default: depends on their length]"),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="B",
            help="torch, onnx, onnx-int8, openvino or openvino-int8 (see `clx export`) "
            "[default: torch]",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="With -o: continue an interrupted prediction.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With -o: replace an existing TARGET.")
    ] = False,
    all_scores: Annotated[
        bool, typer.Option("--all-scores", help="Print the score of every label.")
    ] = False,
    min_score: Annotated[
        float | None,
        typer.Option(metavar="X", help="Minimum score, 0 to 1 [default: what the run learned]"),
    ] = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Predict texts, a file, or standard input.

    In a pipe: one prediction per line, fields separated by tabs. For classification, the fields are
    the text, the label, its score and the margin to the next label. Tabs, newlines and backslashes
    in a text are written as \t, \n and \\.
    """
    with Output(as_json) as out:
        source = source_of(sources, as_texts)
        problems: list[str] = []
        if target is None:
            with_target = {
                "--columns": columns,
                "--resume": resume,
                "--overwrite": overwrite,
                "--on-error": on_error if on_error != "raise" else None,
                "--prefix": prefix or None,
            }
            problems += _misplaced(with_target, "-o TARGET")
        if source.data is None:
            with_file = {
                "-o TARGET": target,
                "--text-column": text_column,
                "--separator": separator,
                "--encoding": encoding,
                "--header": header,
                "--no-header": no_header,
            }
            problems += _misplaced(with_file, "rows of data as SOURCE")
        raise_problems(ConfigError, "These arguments cannot be combined:", problems)
        how = reading_options(separator, encoding, header, no_header)

        from clx.ml import training_run
        from clx.ml.data.reading import reading_of
        from clx.ml.data.task_frames import own_text_columns
        from clx_runtime.arguments import check_min_score
        from clx_runtime.texts import columns_to_read

        run = training_run(load=run_name, device=device)
        asked: dict[str, Any] = {"all_scores": all_scores, "min_score": check_min_score(min_score)}
        if target is None or source.data is None:
            columns_read = columns_to_read(own_text_columns(run), text_column)
            texts = source.read(columns_read, reading_of(**how))
            _print(out, run, predicted(run, texts, batch_size, backend), bool(source.texts), asked)
            return
        try:
            written = run.predict_file(
                source.data,
                target,
                text_column=text_column or "text",
                columns=None if columns is None else comma_separated(columns),
                resume=resume,
                overwrite=overwrite,
                batch_size=batch_size,
                backend=backend,
                on_error=on_error,
                prefix=prefix,
                **asked,
                **how,
            )
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(
                "interrupted; the same command with --resume continues"
            ) from interrupt
        if as_json:
            out.json({"run_dir": run.run_dir, "source": source.data, "target": written})
        else:
            out.fields([("written", written)])


def _misplaced(options: dict[str, Any], required: str) -> list[str]:
    """Return a problem for each option that is set, because it does nothing without ``required``."""
    given = [name for name, value in options.items() if value not in (None, False)]
    return [f"{name} requires {required}" for name in given]


def _print(
    out: Output,
    run: TrainingRun,
    predictions: Iterator[tuple[str, Any]],
    typed: bool,
    asked: dict[str, Any],
) -> None:
    if not out.is_terminal and not typed:
        predictions = _bar(predictions)
    if out.as_json:
        # Collect everything first: an error in a later text must not leave half a document.
        out.json([{"text": text, "prediction": prediction} for text, prediction in predictions])
        return
    rows = ((text, run.prediction_row(prediction, **asked)) for text, prediction in predictions)
    if not out.is_terminal:
        out.records([text, *row.values()] for text, row in rows)
        return
    while some := list(islice(rows, TABLE_ROWS)):
        columns = list(dict.fromkeys(name for _, row in some for name in row))
        cells = ([clipped(text, TEXT_WIDTH), *map(row.get, columns)] for text, row in some)
        out.table(["text", *columns], cells)


def predicted(
    run: TrainingRun, texts: Iterable[str], batch_size: int | None, backend: str | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield each text with its prediction, in order, holding one window of texts in memory."""
    shown, asked = tee(texts)
    return zip(shown, run.predict_iter(asked, batch_size, backend), strict=True)


def _bar(predictions: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    from tqdm.auto import tqdm

    return iter(tqdm(predictions, desc="predict", unit=" texts", delay=1))
