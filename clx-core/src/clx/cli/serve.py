"""``clx serve``: answer requests for predictions over HTTP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clx.cli.failures import complain
from clx.cli.output import Output
from clx.cli.parameters import DeviceOption, run_names
from clx.ml.machine import terminal


def serve(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Names or directories of runs. The first one answers at the root.",
            autocompletion=run_names,
        ),
    ],
    host: Annotated[str, typer.Option(metavar="H", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="Port; 0 takes a free one.")] = 8000,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="B",
            help="torch, onnx, onnx-int8 (see `clx export`) or cascade [default: torch]",
        ),
    ] = None,
    device: DeviceOption = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Threads for one batch [default: all cores]"),
    ] = None,
    root_path: Annotated[
        str, typer.Option(metavar="P", help="Path under which a proxy offers the server.")
    ] = "",
    reload_runs: Annotated[
        float | None,
        typer.Option(metavar="S", help="Look for retrained runs every S seconds."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File with the token that clients send [default: CLX_SERVE_TOKEN]"
        ),
    ] = None,
    max_requests: Annotated[
        int, typer.Option(metavar="N", help="Requests at once; more get the status 429.")
    ] = 512,
    max_texts: Annotated[
        int, typer.Option(metavar="N", help="Texts of a request; more get the status 413.")
    ] = 128,
    max_body: Annotated[
        int, typer.Option(metavar="N", help="Bytes of a request; more get the status 413.")
    ] = 2_000_000,
    refuse_long: Annotated[
        bool, typer.Option("--refuse-long", help="Refuse texts that would be truncated.")
    ] = False,
    queue_timeout: Annotated[
        float, typer.Option(metavar="S", help="How long a text may wait before the status 503.")
    ] = 30.0,
    stop_timeout: Annotated[
        float, typer.Option(metavar="S", help="How long to answer what was accepted after SIGTERM.")
    ] = 30.0,
    batch_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Tokens of a batch [default: 4096 on a CPU]"),
    ] = None,
) -> None:
    """Answer requests for predictions over HTTP.

    Speaks the forms of the Inference API (`/`), Text Embeddings Inference (`/predict`), vLLM and
    Infinity (`/classify`), and its own (`/v1/labels`). SIGTERM and Ctrl-C stop it after the requests
    that it has accepted. The log on stderr has one JSON object per line, and no texts.
    """
    with Output():
        from clx_runtime.server.limits import Limits
        from clx_runtime.server.main import require_packages

        require_packages("clx-core")
        from clx.cli.serving import sources_of
        from clx_runtime.server.process import Settings
        from clx_runtime.server.process import serve as run_server
        from clx_runtime.server.tokens import token_of

        limits = Limits(
            requests=max_requests,
            texts=max_texts,
            body=max_body,
            truncate=not refuse_long,
            queue_seconds=queue_timeout,
            stop_seconds=stop_timeout,
            batch_tokens=batch_tokens,
        )
        settings = Settings(host, port, root_path, token_of(token_file), reload_runs, limits)
        if terminal.is_terminal(sys.stderr):
            complain(f"Serving {', '.join(runs)} at http://{host}:{port} (Ctrl-C stops it)")
        run_server(sources_of(runs, backend, device, threads), settings)
