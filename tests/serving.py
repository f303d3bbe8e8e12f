"""Servers for tests: ``clx-serve`` or another program as a process, and an application in a thread."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx

START = "from clx_runtime.server.main import main; raise SystemExit(main())"
PATIENCE = 120
"""Seconds. A process that is to start may find a busy machine."""


class Process:
    """A process of ``clx-serve``, or of another program, on a free port.

    Attributes:
        url: its address.
        lines: the lines of its log so far.
    """

    def __init__(self, *arguments, token=None, program=START):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment |= {} if token is None else {"CLX_SERVE_TOKEN": token}
        command = [sys.executable, "-c", program, *map(str, arguments), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self.event("ready")["url"]

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def events(self, name):
        return [json.loads(line) for line in [*self.lines] if f'"event": "{name}"' in line]

    def event(self, name, count=1):
        """Wait until there are so many lines of an event, and return the last one."""
        wait_for(lambda: len(self.events(name)) >= count or self.process.poll() is not None)
        assert len(self.events(name)) >= count, "".join(self.lines)
        return self.events(name)[count - 1]

    def stop(self):
        """Send SIGTERM, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self.process.stderr.close()
        return status


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextlib.contextmanager
def running(app):
    """Run an application in a thread, and yield a client with its address."""
    import uvicorn

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        try:
            wait_for(lambda: server.started)
            with httpx.Client(base_url=url, timeout=PATIENCE) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
