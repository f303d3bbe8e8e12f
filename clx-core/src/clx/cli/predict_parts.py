"""``clx predict -o DIR/``: predict files in parts, say how far they are, and join them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clx.cli.output import Output
from clx.errors import ConfigError
from clx.problems import names


def writes_parts(target: str | None, parts: Mapping[str, Any]) -> bool:
    """Return whether a prediction is written in parts: its target is a folder.

    Args:
        target: the target, None for the terminal.
        parts: the options that only such a prediction has.

    Raises:
        ConfigError: such an option is given, and the target is not a folder.
    """
    is_folder = target is not None and (target.endswith("/") or Path(target).is_dir())
    given = [f"--{name.replace('_', '-')}" for name, value in parts.items() if value is not None]
    if given and not is_folder:
        raise ConfigError(f"{names(given)} requires -o DIR/, a folder whose name ends in a slash")
    return is_folder


def shards_of(shard: str | None, workers: int | None) -> int | None:
    """Return the number of shards or workers that an estimate is for."""
    count = (shard or "").partition("/")[2]
    return int(count) if count.isdigit() else workers


def print_parts(
    out: Output,
    run_name: str,
    device: str | None,
    sources: Sequence[str],
    directory: str | None,
    options: dict[str, Any],
) -> None:
    """Predict files in parts, and print how far the whole prediction is.

    Args:
        out: the output of the command.
        run_name: the run.
        device: the device to compute on, None for the best one.
        sources: files, folders, globs and addresses.
        directory: the folder of the parts.
        options: further arguments of ``clx.batch.predict_parts``.
    """
    from clx.batch import predict_parts
    from clx.ml import training_run

    given = {name: value for name, value in options.items() if value is not None}
    run = training_run(load=run_name, device=device)
    try:
        found = predict_parts(run, sources, str(directory), **given)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt("interrupted; the same command continues") from interrupt
    _print(out, found)


def print_folder(
    out: Output,
    others: Sequence[str],
    join: str | None,
    status: str | None,
    target: str | None,
    overwrite: bool,
) -> None:
    """Join the parts in a folder, or print how far they are.

    Args:
        out: the output of the command.
        others: what the user gave besides the options; nothing is right.
        join: the folder whose parts to join.
        status: the folder to look at.
        target: the file to write.
        overwrite: whether to replace an existing target.

    Raises:
        ConfigError: the arguments do not go together.
    """
    from clx.batch import join_parts, parts_status

    option = "--join" if join is not None else "--status"
    if others:
        raise ConfigError(
            f"{option} takes a folder of parts, and no RUN or SOURCE: drop {others[0]}"
        )
    if join is not None and status is not None:
        raise ConfigError("--join and --status cannot be combined")
    if status is not None:
        if target is not None:
            raise ConfigError("-o TARGET requires --join, or RUN and SOURCE")
        _print(out, parts_status(status))
        return
    if target is None:
        raise ConfigError("--join requires -o TARGET, the file to write")
    written = join_parts(str(join), target, overwrite)
    if out.as_json:
        out.json({"directory": join, "target": written})
    else:
        out.fields([("written", written)])


def _print(out: Output, found: Any) -> None:
    if out.as_json:
        out.json(found.to_dict())
        return
    out.fields(found.facts().items(), found.directory)
    if found.failed:
        out.blank()
        rows = [(each["rows"], each["cause"]) for each in found.failed]
        out.table(["failed", "cause"], rows)
