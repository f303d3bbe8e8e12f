"""``clx predict``: predictions for texts, a file, or standard input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clx.cli.output import Output, clipped
from clx.cli.parameters import DeviceOption, JsonOption, RunArgument, comma_separated
from clx.cli.sources import source_of
from clx.errors import ConfigError
from clx.problems import raise_problems

if TYPE_CHECKING:
    from clx.ml import TrainingRun

TEXT_WIDTH = 80
TABLE_ROWS = 200
"""Rows of one table on a terminal; a longer input makes several, so that none is held whole."""


def predict(
    run_name: RunArgument,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Texts; or one csv, tsv, jsonl or parquet file; or - for one text a line of "
            "standard input.",
        ),
    ],
    target: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="TARGET",
            help="Write the rows of the file SOURCE with their predictions into this csv, tsv, "
            "jsonl or parquet file.",
        ),
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The file's column of texts [default: text]")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="With -o: input columns to keep [default: all]"),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="Texts of one batch [default: by their length]")
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="B", help="torch, onnx or onnx-int8 (see `clx export`) [default: torch]"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="With -o: continue what was broken off.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With -o: replace an existing TARGET.")
    ] = False,
    all_scores: Annotated[
        bool, typer.Option("--all-scores", help="Give the score of every label.")
    ] = False,
    min_score: Annotated[
        float | None,
        typer.Option(metavar="X", help="Score to reach, 0 to 1 [default: what the run learnt]"),
    ] = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Predict texts, a file, or standard input.

    In a pipe: a prediction a line, fields separated by tabs, which for classification are the text,
    the label, its score and its lead over the next one. Tabs, newlines and backslashes in a text
    are written as \t, \n and \\.
    """
    with Output(as_json) as out:
        source = source_of(sources)
        only_with_target = {
            "--columns": columns is not None,
            "--resume": resume,
            "--overwrite": overwrite,
        }
        problems = [
            f"{name} goes with -o TARGET only"
            for name, given in only_with_target.items()
            if given and target is None
        ]
        if target is not None and source.file is None:
            problems.append("-o TARGET needs one file as SOURCE")
        if text_column is not None and source.file is None:
            problems.append("--text-column needs a file as SOURCE")
        raise_problems(ConfigError, "These do not go together:", problems)

        from clx.ml import training_run
        from clx.ml.data.texts import columns_to_read
        from clx.ml.prediction.predict import check_min_score

        run = training_run(load=run_name, device=device)
        asked: dict[str, Any] = {"all_scores": all_scores, "min_score": check_min_score(min_score)}
        if target is None or source.file is None:
            texts = source.read(columns_to_read(run.text_columns, text_column or "text"))
            _print(out, run, predicted(run, texts, batch_size, backend), bool(source.texts), asked)
            return
        written = run.predict_file(
            source.file,
            target,
            text_column=text_column or "text",
            columns=None if columns is None else comma_separated(columns),
            resume=resume,
            overwrite=overwrite,
            batch_size=batch_size,
            backend=backend,
            **asked,
        )
        if as_json:
            out.json({"run_dir": run.run_dir, "source": source.file, "target": written})
        else:
            out.fields([("written", written)])


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
        # Held back, since an error in a later text must not leave half a document.
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
    """Return each text with its prediction, in order, holding one window of them."""
    shown, asked = tee(texts)
    return zip(shown, run.predict_iter(asked, batch_size, backend), strict=True)


def _bar(predictions: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    from tqdm.auto import tqdm

    return iter(tqdm(predictions, desc="predict", unit=" texts", delay=1))
