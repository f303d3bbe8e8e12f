"""The terminals of someone who follows a page: commands, a server, and questions to it."""

import shlex

import httpx

from clx.cli import main
from serving import PATIENCE, Process

SERVE = "from clx.cli import main; raise SystemExit(main())"
USUAL_ADDRESS = "http://127.0.0.1:8000"


class Shell:
    """Runs ``sh`` blocks. Use it as a context manager: at its end, servers are stopped.

    A line is a ``clx`` command, which runs in this process, because a new one spends most of its time
    on imports. ``clx serve`` runs beside it on a free port, and ``curl`` asks it.
    """

    def __init__(self):
        self._server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._server is not None:
            assert self._server.stop() == 0

    def run(self, code):
        for command in code.splitlines():
            words = shlex.split(command, comments=True)
            if not words:
                continue
            assert words[0] in ("clx", "curl"), f"only clx and curl are executed: {command}"
            if words[0] == "curl":
                self._ask(words[1:])
            elif words[1] == "serve":
                assert self._server is None, "a page has one server"
                self._server = Process(*words[1:], program=SERVE)
            else:
                assert main(words[1:]) == 0, command

    def _ask(self, words):
        url, *options = words
        assert self._server is not None, "curl asks the server that the page has started"
        assert url.startswith(USUAL_ADDRESS), url
        url = self._server.url + url.removeprefix(USUAL_ADDRESS)
        data = dict(zip(options[::2], options[1::2], strict=True))
        assert set(data) <= {"-d"}, "write curl URL, or curl URL -d JSON"
        answer = httpx.request(
            "POST" if data else "GET", url, content=data.get("-d"), timeout=PATIENCE
        )
        assert answer.status_code == 200, answer.text
