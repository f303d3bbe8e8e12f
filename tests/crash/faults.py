"""Ending this process at a chosen file-system call, as a kill at that instant would."""

from __future__ import annotations

import os
import signal
import sys

PATH_EVENTS = "os.mkdir os.remove os.rename os.rmdir os.chmod os.truncate os.link".split()


class Injected:
    """Counts what this process does below a folder, and ends or fails it before the n-th time.

    Python's own calls are seen by an audit hook; what native code does (fsync, the exchange of two
    directories, writing tensors) by wrapping the functions that call it, before and after.
    """

    def __init__(self, folder, at=None, fail=None):
        self.folder = os.path.realpath(folder)
        self.at = at
        self.fail = fail
        self.count = 0
        self.armed = False

    def __enter__(self):
        self.armed = True
        sys.addaudithook(self._audit)
        from clx.ml.run_directory import staging

        self._wrap(staging, "_exchange")
        self._wrap(os, "fsync")
        modeling = sys.modules.get("transformers.modeling_utils")
        if modeling is not None:
            import torch

            self._wrap(modeling, "safe_save_file")
            self._wrap(torch, "save")
        return self

    def __exit__(self, *exc):
        self.armed = False

    def _wrap(self, module, name):
        function = getattr(module, name)

        def wrapped(*args, **kwargs):
            self.step()
            result = function(*args, **kwargs)
            self.step()
            return result

        setattr(module, name, wrapped)

    def _audit(self, event, args):
        if not self.armed:
            return
        if event == "open":
            flags, mode = args[2] or 0, args[1] or ""
            writes = flags & (os.O_WRONLY | os.O_RDWR) or set(str(mode)) & set("wax+")
            if writes and isinstance(args[0], str | bytes | os.PathLike):
                self._at(args[0])
        elif event in PATH_EVENTS:
            self._at(args[0])

    def _at(self, path):
        # Removing a tree goes by names relative to an open folder: those count too.
        path = os.fsdecode(path)
        if not os.path.isabs(path) or os.path.abspath(path).startswith(self.folder):
            self.step()

    def step(self):
        if not self.armed:
            return
        self.count += 1
        if self.count != self.at:
            return
        if self.fail is not None:
            self.armed = False
            raise self.fail
        os.kill(os.getpid(), signal.SIGKILL)


def in_fork(function, *args, seconds=None):
    """Run a function in a forked process; return (what it returned, as JSON; its wait status).

    With ``seconds`` the process is killed then. What it did not live to return is None.
    """
    import json
    import select

    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read)
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115
            said = json.dumps(function(*args))
            with open(write, "w", encoding="utf-8") as file:
                file.write(said)
            status = 0
        except BaseException as error:
            import traceback

            with open(write, "w", encoding="utf-8") as file:
                file.write(json.dumps({"raised": repr(error), "trace": traceback.format_exc()}))
        finally:
            os._exit(status)
    os.close(write)
    with open(read, encoding="utf-8") as file:
        if seconds is not None and not select.select([file], [], [], seconds)[0]:
            os.kill(child, signal.SIGKILL)
        said = file.read()
    _, status = os.waitpid(child, 0)
    try:
        return json.loads(said), status
    except ValueError:
        return None, status
