"""``clx predict``: predict texts, a file, or standard input."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    NoHeaderOption,
    OptionalRunArgument,
    SeparatorOption,
    TextColumnOption,
    comma_separated,
    reading_options,
)
from clx.cli.predict_estimate import print_estimate
from clx.cli.predict_parts import print_folder, print_parts, shards_of, writes_parts
from clx.cli.print_predictions import predicted, print_predictions
from clx.cli.sources import Source, piped_source, source_of
from clx.errors import ConfigError
from clx.problems import raise_problems


def predict(
    run_name: OptionalRunArgument = None,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="Texts, or one file, folder, glob or address of rows. Without it, or with -, the "
            "lines of standard input are the texts. With -o DIR/, any number of files, folders, globs "
            "and addresses.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="TARGET",
            help="Write the rows of SOURCE and their predictions to this csv, tsv, jsonl or parquet "
            "file, or in parts into this folder if it ends in a slash.",
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
    skip_blank: Annotated[
        bool,
        typer.Option(
            "--skip-blank",
            help="Leave out blank lines of standard input; otherwise each is an empty text.",
        ),
    ] = False,
    text_column: TextColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
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
            help="torch, onnx, onnx-int8, openvino or openvino-int8 (see `clx export`), or cascade "
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
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what the prediction will cost, like `clx estimate`, and end."
        ),
    ] = False,
    device: DeviceOption = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="K/N|auto",
            help="With -o DIR/: predict this share of the parts, such as 3/16, or that of the scheduler "
            "(SLURM, torchrun, SkyPilot, Kubernetes).",
        ),
    ] = None,
    part_rows: Annotated[
        int | None,
        typer.Option(metavar="N", help="With -o DIR/: the most rows of a part [default: 8192]"),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(metavar="local|ray", help="With -o DIR/: who predicts [default: local]"),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="A", help="With --engine ray: the cluster [default: on this machine]"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="With --engine ray: how many workers [default: one per CPU]"
        ),
    ] = None,
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(metavar="X", help="With --engine ray: the GPUs of each worker, such as 0.5"),
    ] = None,
    join: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Write the finished parts in this folder into one file, -o TARGET."
        ),
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="DIR", help="Say how far the parts in this folder are.")
    ] = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Predict texts, a file, or standard input.

    In a pipe: a heading and one prediction per line, fields separated by tabs. For classification, the
    first fields are the text, the label, its score and the margin to the next label; the field
    `truncated` says whether the model read the beginning of the text only. Tabs, newlines and
    backslashes in a text are written as \t, \n and \\.
    """
    parts = {
        "shard": shard,
        "part_rows": part_rows,
        "engine": engine,
        "address": address,
        "workers": workers,
        "gpus_per_worker": gpus_per_worker,
    }
    with Output(as_json, no_header) as out:
        if join is not None or status is not None:
            only = [*(sources or ()), *([run_name] if run_name else [])]
            print_folder(out, only, join, status, target, overwrite)
            return
        if run_name is None:
            raise typer.BadParameter("RUN is needed, or --join or --status")
        into_parts = writes_parts(target, parts)
        if not sources:
            if into_parts:
                raise ConfigError("-o DIR/ requires rows of data as SOURCE")
            sources = [piped_source(run_name)]
        if into_parts and not dry_run:
            if resume or as_texts:
                raise ConfigError(
                    "-o DIR/ does not go with --text, and it always resumes: drop --resume"
                )
            options = {
                "text_column": text_column or "text",
                "columns": None if columns is None else comma_separated(columns),
                "prefix": prefix,
                "all_scores": all_scores,
                "min_score": min_score,
                "backend": backend,
                "on_error": on_error,
                "batch_size": batch_size,
                "overwrite": overwrite,
                **reading_options(separator, encoding, header),
            }
            print_parts(out, run_name, device, sources, target, {**options, **parts})
            return
        source = Source(data=sources[0]) if into_parts else source_of(sources, as_texts)
        problems: list[str] = []
        if target is None and not dry_run:
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
                "--dry-run": dry_run,
            }
            problems += _misplaced(with_file, "rows of data as SOURCE")
        if not source.stdin:
            problems += _misplaced({"--skip-blank": skip_blank}, "texts from standard input")
        raise_problems(ConfigError, "These arguments cannot be combined:", problems)
        how = reading_options(separator, encoding, header)

        from clx.ml import training_run
        from clx.ml.data.reading import reading_of
        from clx.ml.data.task_frames import own_text_columns
        from clx_runtime.arguments import check_min_score
        from clx_runtime.texts import columns_to_read

        run = training_run(load=run_name, device=device)
        if dry_run and source.data is not None:
            given: dict[str, Any] = {
                "target": target,
                "text_column": text_column,
                "columns": columns,
            }
            given |= {"batch_size": batch_size, "backend": backend, "all_scores": all_scores}
            given |= {"min_score": min_score, "prefix": prefix, "part_rows": part_rows}
            given["shards"] = shards_of(shard, workers)
            print_estimate(out, run, sources, {**given, **how})
            return
        asked: dict[str, Any] = {"all_scores": all_scores, "min_score": check_min_score(min_score)}
        if target is None or source.data is None:
            columns_read = columns_to_read(own_text_columns(run), text_column)
            texts = source.read(columns_read, reading_of(**how), skip_blank)
            found = predicted(run, texts, batch_size, backend)
            print_predictions(out, run, found, bool(source.texts), asked, backend)
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
