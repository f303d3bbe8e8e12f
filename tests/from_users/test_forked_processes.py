"""A user predicted under gunicorn --preload, and in a multiprocessing.Pool: the child hung forever."""

import os
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request

import pytest

from clx.errors import ConfigError
from clx.ml import training_run
from clx.ml.machine.forks import ready_after_fork
from clx_runtime import forks
from conftest import fruit_frame, make_tiny_model

TEXTS = [f"the {word} is big and red" for word in ("cat", "apple", "dog", "melon")] * 30
"""Enough work for a second thread of OpenMP."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A run whose model is large enough for torch to use several threads."""
    base = make_tiny_model(tmp_path_factory.mktemp("wide"), hidden_size=256, intermediate_size=1024)
    run = training_run(
        "classification",
        "wide",
        run_dir_parent=tmp_path_factory.mktemp("runs"),
        base_model_name=base,
        training_args={"max_steps": 1, "disable_tqdm": True},
    )
    run.train(fruit_frame())
    return run.run_dir


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "2", "TOKENIZERS_PARALLELISM": "true"}


def outcome(tmp_path, code, *arguments, timeout=240):
    """What a script prints; it is a file, because spawned processes import it again."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    command = [sys.executable, "-W", "ignore", str(script), *map(str, arguments)]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


FORKED = """
    import os, signal, sys, threading, time
    import pandas as pd
    from clx.ml import training_run

    path, texts = sys.argv[1], sys.argv[2].split("|")
    run = training_run(load=path)
    expected = run.predict(texts)
    frame = pd.DataFrame({"text": texts, "label": ["fruit", "animal"] * (len(texts) // 2)})

    def in_child(what):
        pid = os.fork()
        if pid == 0:
            signal.alarm(200)
            code = 1
            try:
                code = 0 if what() else 2
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def equal(found):
        pairs = zip(found, expected, strict=True)
        return all(abs(one[key] - two[key]) < 1e-5 for one, two in pairs for key in two)

    def in_thread():
        found = []
        thread = threading.Thread(target=lambda: found.append(equal(run.predict(texts))))
        thread.start()
        thread.join()
        return found[0]

    print(in_child(lambda: equal(run.predict(texts))), in_child(in_thread))
    print(in_child(lambda: run.evaluate(frame).rows == len(texts)))
    print(in_child(lambda: run.train(frame, overwrite=True).steps == 1))

    # Another thread tokenizes at the moment of the fork.
    stop, long = [], [" ".join(texts[:20])] * 200
    tokenizer = run.pipe.tokenizer
    def tokenize():
        while not stop:
            tokenizer(long)
    threads = [threading.Thread(target=tokenize) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.05)
        print(in_child(lambda: tokenizer(long[:3], padding=True)))
    stop.append(True)
"""


def test_a_forked_process_predicts_evaluates_and_trains(wide, tmp_path):
    assert outcome(tmp_path, FORKED, wide, "|".join(TEXTS)) == ["0"] * 7


POOLS = """
    import multiprocessing, sys
    from clx.ml import training_run

    if __name__ == "__main__":
        run = training_run(load=sys.argv[1])
        halves = [sys.argv[2].split("|")[half::2] for half in range(2)]
        expected = [run.predict(half) for half in halves]
        for method in ("fork", "spawn", "forkserver"):
            with multiprocessing.get_context(method).Pool(1) as pool:
                found = pool.map_async(run.predict, halves).get(timeout=150)
            found, wanted = sum(found, []), sum(expected, [])
            pairs = zip(found, wanted, strict=True)
            print(all(abs(one[key] - two[key]) < 1e-5 for one, two in pairs for key in two))
"""


@pytest.mark.slow
def test_pools_of_every_kind_map_a_runs_predict(wide, tmp_path):
    assert outcome(tmp_path, POOLS, wide, "|".join(TEXTS)) == ["True"] * 3


APP = """
    import json, sys
    from clx.ml import training_run

    run = training_run(load={path!r})
    run.predict({texts!r})

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(run.predict({texts!r})).encode()]
"""


def test_gunicorn_with_preload_answers(wide, tmp_path):
    if not os.environ.get("CI"):
        pytest.importorskip("gunicorn")
    code = textwrap.dedent(APP).format(path=str(wide), texts=TEXTS)
    (tmp_path / "served.py").write_text(code)
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "1", "--bind"]
    command += ["127.0.0.1:0", "--chdir", str(tmp_path), "--timeout", "120", "served:app"]
    log = tmp_path / "log"
    with log.open("w") as stream:
        server = subprocess.Popen(command, env=environment(), stderr=stream)
    try:
        address = listening_at(log, server)
        with urllib.request.urlopen(address, timeout=100) as response:
            assert response.read().count(b"fruit") == len(TEXTS)
    finally:
        server.terminate()
        server.wait(timeout=60)


def listening_at(log, server):
    for _ in range(1200):
        lines = [line for line in log.read_text().splitlines() if "Listening at: " in line]
        if lines:
            return lines[0].split("Listening at: ")[1].split()[0]
        assert server.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def status_of_child(what, limit=120):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if what() else 2
        finally:
            os._exit(code)
    for _ in range(limit * 50):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "hangs"


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_lock_that_another_thread_holds_is_free_in_the_child(trained):
    run = training_run(load=trained)
    held, done = threading.Event(), threading.Event()

    def hold():
        with run._clx_loaded._lock:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    try:
        assert status_of_child(lambda: run.tokenizer is not None) == 0
    finally:
        done.set()
        thread.join()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_waits_for_a_thread_that_is_in_the_middle_of_something():
    begun, ended = threading.Event(), []

    def work():
        with forks.not_forked():
            begun.set()
            time.sleep(0.3)
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(60)
    assert status_of_child(lambda: ended == [True]) == 0
    thread.join()


def test_sessions_of_onnx_runtime_are_loaded_again_in_a_child(trained):
    run = training_run(load=trained)
    run.export("onnx", texts=["the cat"], int8=False)
    expected = run.predict(["an apple"], backend="onnx")
    session = run._clx_loaded.onnx(run, run._trained_directory, "onnx", None)

    def in_child():
        same = run.predict(["an apple"], backend="onnx") == expected
        return (
            same and run._clx_loaded.onnx(run, run._trained_directory, "onnx", None) is not session
        )

    assert status_of_child(in_child, limit=60) == 0


def test_a_gpu_that_the_parent_used_is_an_error(monkeypatch):
    monkeypatch.setattr(forks._FORKS, "had_cuda", True)
    monkeypatch.setattr(forks._FORKS, "stale_thread", threading.get_ident())
    with pytest.raises(ConfigError, match=r"forked from a process that has used it.*'spawn'"):
        ready_after_fork("cuda")


def test_only_the_thread_of_the_parent_gets_one_thread_of_torch(monkeypatch):
    import torch

    chosen = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    ready_after_fork()
    monkeypatch.setattr(forks._FORKS, "stale_thread", -1)
    ready_after_fork()
    assert chosen == []
    monkeypatch.setattr(forks._FORKS, "stale_thread", threading.get_ident())
    ready_after_fork()
    assert chosen == [1]
