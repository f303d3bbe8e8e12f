"""The process of ``clx-serve``: how it starts, reloads a run, and stops."""

import concurrent.futures
import shutil
import signal
import socket

import httpx
import pytest

from clx.ml import training_run
from clx_runtime import load
from clx_runtime.errors import ConfigError
from clx_runtime.server import main as command
from clx_runtime.server.tokens import VARIABLE, token_of
from conftest import fruit_frame
from serving import PATIENCE, Process, wait_for

pytest.importorskip("onnxruntime")
CHECKED = ["the apple is small", "a cat and a dog", "the red pear"]


@pytest.fixture(scope="module")
def exported(tiny_model, tmp_path_factory):
    """Two exported runs with different weights and the same name, in folders of their own."""
    made = []
    for rows in (40, 24):
        run = training_run(
            "classification",
            "fruit",
            run_dir_parent=tmp_path_factory.mktemp("runs"),
            base_model_name=tiny_model,
        )
        run.train(fruit_frame(rows), fruit_frame(16), fine_tune=False)
        run.export("onnx", texts=CHECKED, int8=False, to=run.run_dir.parent / "fruit.clx.zip")
        made.append(run.run_dir)
    return made


def test_a_retrained_run_is_picked_up_under_load_and_sigterm_loses_nothing(exported, tmp_path):
    place = shutil.copytree(exported[0], tmp_path / "fruit")
    digests = [load(folder).identity.digest for folder in exported]
    server = Process(place, "--reload-runs", "0.1", token="secret")
    headers = {"authorization": "Bearer secret"}
    answers, refused = [], []

    def ask():
        with httpx.Client(base_url=server.url, headers=headers, timeout=PATIENCE) as client:
            while True:
                try:
                    answers.append(client.post("/predict", json={"inputs": "a red cat"}))
                except httpx.TransportError as error:
                    refused.append(error)
                    return
                if answers[-1].status_code != 200:
                    refused.append(answers.pop())
                    return

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        wait_for(lambda: answers)
        shutil.move(place, tmp_path / "old")
        shutil.copytree(exported[1], tmp_path / "new")
        shutil.move(tmp_path / "new", place)
        wait_for(lambda: answers[-1].headers["x-clx-model"] == digests[1])
        assert not refused
        assert server.stop() == 0
        concurrent.futures.wait(asking, PATIENCE)
    scores = [load(folder).predict("a red cat")[0] for folder in exported]
    expected = dict(zip(digests, scores, strict=True))
    for answer in answers:
        found = {each["label"]: each["score"] for each in answer.json()}
        assert found == pytest.approx(expected[answer.headers["x-clx-model"]], abs=1e-5)
    # Every request that the log calls answered reached its client.
    logged = [each for each in server.events("request") if each["status"] == 200]
    assert len(logged) == len(answers)
    assert server.events("stopped")


def test_an_archive_is_served_under_a_proxys_path_and_ctrl_c_stops_it(exported):
    archive = exported[0].parent / "fruit.clx.zip"
    server = Process(archive, "--root-path", "/models")
    try:
        assert server.url.endswith("/models")
        response = httpx.post(
            server.url.removesuffix("/models") + "/predict", json={"inputs": "cat"}
        )
        assert response.headers["x-clx-model"] == load(archive).identity.digest
        docs = httpx.get(server.url.removesuffix("/models") + "/docs")
        assert "/models/openapi.json" in docs.text
    finally:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PATIENCE) == 0
        server.stop()


def test_what_cannot_be_served_is_said_before_or_at_the_start(exported, tmp_path, capsys):
    bare = shutil.copytree(exported[0], tmp_path / "bare", ignore=lambda *_: ["onnx"])
    (bare / "manifest.json").write_text('{"files": {}}')

    def error(*arguments):
        assert command.main([*map(str, arguments), "--port", "0"]) == 2
        return capsys.readouterr().err

    assert f"was not exported: clx export {bare}" in error(bare)
    assert "no run directory and no archive" in error(tmp_path / "nothing")
    assert "different names" in error(exported[0], exported[1])
    assert "texts must be more than 0" in error(exported[0], "--max-texts", "0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert command.main([str(exported[0]), "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_a_missing_package_is_named(exported, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert command.main([str(exported[0])]) == 2
    assert "pip install 'clx-runtime[serve]'" in capsys.readouterr().err


def test_the_token_comes_from_a_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert token_of(None) is None
    monkeypatch.setenv(VARIABLE, "from-environment")
    assert token_of(None) == "from-environment"
    file = tmp_path / "token"
    file.write_text("from-file\n")
    assert token_of(file) == "from-file"
    for wrong in ("", "two words", "ünicode"):
        file.write_text(wrong)
        with pytest.raises(ConfigError, match="printable ASCII"):
            token_of(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        token_of(tmp_path / "nothing")
