"""``clx-serve``: serve exported runs over HTTP, without clx."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from clx_runtime import __version__
from clx_runtime.errors import ClxError, MissingDependencyError
from clx_runtime.server.limits import Limits
from clx_runtime.server.runtime_model import ExportedSource
from clx_runtime.server.tokens import VARIABLE, token_of

_NEEDED = ("fastapi", "uvicorn", "prometheus_client")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    given = _parser().parse_args(arguments)
    try:
        require_packages("clx-runtime")
        sources = [ExportedSource(run, given.backend, given.threads) for run in given.runs]
        from clx_runtime.server.process import Settings, serve

        limits = Limits(
            requests=given.max_requests,
            texts=given.max_texts,
            body=given.max_body,
            truncate=not given.refuse_long,
            queue_seconds=given.queue_timeout,
            stop_seconds=given.stop_timeout,
            batch_tokens=given.batch_tokens,
        )
        serve(
            sources,
            Settings(
                host=given.host,
                port=given.port,
                root_path=given.root_path,
                token=token_of(given.token_file),
                reload_seconds=given.reload_runs,
                limits=limits,
            ),
        )
    except ClxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def require_packages(distribution: str) -> None:
    """Check that the packages of the server are installed.

    Args:
        distribution: the one whose extra has them.

    Raises:
        MissingDependencyError: one is missing.
    """
    from importlib.util import find_spec

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"The server needs {', '.join(missing)}: pip install '{distribution}[serve]'"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "clx-serve", description="Serve exported runs over HTTP.", allow_abbrev=False
    )
    add: Any = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="Run directory or archive of clx export --to.")
    add("--host", default="127.0.0.1", metavar="H", help="Address to listen on [%(default)s]")
    add("--port", type=int, default=8000, metavar="N", help="Port, 0 for a free one [%(default)s]")
    add("--backend", metavar="B", help="onnx or onnx-int8 [int8 if it decides as torch does]")
    add("--threads", type=int, metavar="N", help="Threads per batch [all cores]")
    add("--root-path", default="", metavar="P", help="Path under which a proxy offers the server")
    add("--reload-runs", type=float, metavar="S", help="Look every S seconds for retrained runs")
    add("--token-file", metavar="F", help=f"File with the token of clients [{VARIABLE}]")
    limits = Limits()
    add("--max-requests", type=int, default=limits.requests, metavar="N")
    add("--max-texts", type=int, default=limits.texts, metavar="N", help="Texts of a request")
    add("--max-body", type=int, default=limits.body, metavar="N", help="Bytes of a request")
    add("--refuse-long", action="store_true", help="Refuse texts that would be truncated")
    add("--queue-timeout", type=float, default=limits.queue_seconds, metavar="S")
    add("--stop-timeout", type=float, default=limits.stop_seconds, metavar="S")
    add("--batch-tokens", type=int, metavar="N", help="Tokens of a batch [4096 on a CPU]")
    add("--version", action="version", version=f"clx-serve {__version__}")
    return parser
