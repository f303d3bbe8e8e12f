"""Open, predict and evaluate with run directories, each in a process of its own, and see what it does.

Called with the directories; prints a JSON line for each. Every process has an audit hook that notes
code, sockets, processes, unpickling and writes outside of its own temporary folder.
"""

from __future__ import annotations

import builtins
import json
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path

# As a user has it who is online.
os.environ.pop("HF_HUB_OFFLINE", None)

import pandas as pd
import torch
import transformers  # noqa: F401
from transformers import Trainer  # noqa: F401

from clx.ml import training_run

SECONDS = 120
BYTES = 6 * 2**30
FORBIDDEN = (
    "socket.connect socket.getaddrinfo socket.gethostbyname socket.sendto socket.bind os.system "
    "subprocess.Popen os.exec os.posix_spawn os.spawn os.fork pty.spawn pickle.find_class "
    "builtins.input"
).split()
MUTATING = "os.mkdir os.remove os.rename os.rmdir os.link os.symlink os.truncate os.chmod".split()


def watch(folder, scratch, events):
    folder = os.path.realpath(folder)

    def note(event, args):
        if event in FORBIDDEN:
            events.append([event, repr(args)[:200]])
        elif event in ("exec", "compile"):
            code = args[0] if event == "exec" else args[1]
            name = str(getattr(code, "co_filename", code))
            if name.startswith(folder) or b"CANARY" in str(code).encode("utf-8", "replace"):
                events.append([event, name])
        elif event == "import" and str(args[0]).startswith("transformers_modules"):
            events.append([event, str(args[0])])
        elif event == "open" and isinstance(args[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(args[0]))
            writes = args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if args[2] else 0
            if isinstance(args[1], str) and set(args[1]) & set("wax+"):
                writes = 1
            if writes and not path.startswith((scratch, "/dev/", "/proc/self")):
                events.append(["write", path])
            if path in ("/etc/passwd", "/etc/hostname"):
                events.append(["read", path])
        elif event in MUTATING:
            path = os.path.realpath(os.fsdecode(args[0]))
            if not path.startswith(scratch):
                events.append([event, path])

    sys.addaudithook(note)


def look(folder):
    folder = Path(folder)
    events = []
    scratch = os.path.realpath(tempfile.mkdtemp())
    tempfile.tempdir = scratch
    os.environ["CANARY"] = str(folder.parent / "canary")
    builtins.input = lambda *args: events.append(["builtins.input", str(args)]) or "y"
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    signal.alarm(SECONDS)
    watch(folder, scratch, events)
    found = {"case": folder.parent.name, "verdict": "loaded", "message": ""}
    try:
        run = training_run(load=folder, device=None)
        scores = run.predict(["the cat", "aaaa " * 200, "an apple"])
        data = pd.DataFrame({"text": ["the cat", "an apple"], "label": ["animal", "fruit"]})
        found["metrics"] = run.evaluate(data).metrics["accuracy"]
        found["finite"] = all(0 <= value <= 1 for each in scores for value in each.values())
        found["best"] = [max(each, key=each.get) for each in scores]
        repr(run), dict(run.results)
    except BaseException as error:
        found["verdict"], found["message"] = type(error).__name__, str(error)
    signal.alarm(0)
    found["events"] = events
    found["canary"] = (folder.parent / "canary").exists()
    return found


def in_own_process(folder):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            with open(write, "w", encoding="utf-8") as file:
                json.dump(look(folder), file)
        finally:
            os._exit(0)
    os.close(write)
    with open(read, encoding="utf-8") as file:
        said = file.read()
    _, status = os.waitpid(child, 0)
    case = Path(folder).parent.name
    return said or json.dumps({"case": case, "verdict": f"died ({status})", "message": ""})


if __name__ == "__main__":
    torch.set_num_threads(1)
    for argument in sys.argv[1:]:
        print(in_own_process(argument), flush=True)
