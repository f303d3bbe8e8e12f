"""The queue and the limits of the server, with a run that computes when the test lets it."""

import asyncio
import json
import threading
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

from clx_runtime.errors import ConfigError, DataFormatError
from clx_runtime.server import batching
from clx_runtime.server.app import make_app
from clx_runtime.server.limits import Limits
from clx_runtime.server.served import Computed, Facts
from serving import PATIENCE, running, wait_for


class Run:
    """A run whose logit is the number in a text; it is its own source.

    Attributes:
        batches: the texts of each call so far.
        free: the run computes while it is set.
    """

    def __init__(self, name="one", identity="first", **facts):
        self.name, self.identity, self.version = name, identity, 1
        self.batches, self.free = [], threading.Event()
        self.free.set()
        self._facts = facts

    def open(self):
        opened = Run(self.name, self.identity)
        opened.batches, opened.free = self.batches, self.free
        values = {"multi_label": False, "function": "none", "limits": {}, "limit": 10}
        opened.facts = Facts(
            self.name,
            "task",
            self.identity,
            "onnx",
            "cpu",
            labels=("a",),
            text_columns=("text",),
            **{**values, **self._facts},
        )
        return opened

    def stamp(self):
        return self.version

    def compute(self, texts, needs):
        self.batches.append(list(texts))
        assert self.free.wait(PATIENCE)
        if "refused" in texts:
            raise DataFormatError("a text is refused")
        if "broken" in texts:
            raise RuntimeError("a secret text")
        numbers = [float(text) if text[:1].isdigit() else 0.0 for text in texts]
        if "nan" in texts:
            numbers = [np.nan]
        logits = np.array(numbers)[:, None]
        predictions = [{"a": number} for number in numbers]
        return Computed(logits, predictions, [len(text) > 10 for text in texts], [1] * len(texts))

    def row(self, prediction, *, all_scores, min_score):
        return {"label": "a", "score": prediction["a"], "margin": 0.0}


def score(response):
    return response.json()[0]["score"]


def served(run, **options):
    limits = Limits(**options)
    return running(make_app([run], limits))


class Threads:
    """Requests that wait for their answers in threads."""

    def __init__(self, client):
        self.client, self.answers, self._threads = client, {}, []

    def ask(self, text):
        def work():
            self.answers[text] = self.client.post("/predict", json={"inputs": text})

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def join(self):
        for thread in self._threads:
            thread.join(PATIENCE)
        return self.answers


def waiting(client):
    lines = client.get("/metrics").text.splitlines()
    asked, refused = (
        sum(float(line.split()[1]) for line in lines if line.startswith(name))
        for name in ("te_request_count{", "te_request_success{")
    )
    return asked - refused


def test_texts_wait_only_for_a_busy_worker_and_then_go_together_in_order():
    run = Run()
    with served(run) as client:
        assert score(client.post("/predict", json={"inputs": "1"})) == 1
        assert run.batches[-1] == ["1"]
        run.free.clear()
        asked = Threads(client)
        for count, text in enumerate(["2", "3", "4", "5"], 1):
            asked.ask(text)
            wait_for(lambda count=count: waiting(client) == count)
        run.free.set()
        assert {text: score(answer) for text, answer in asked.join().items()} == {
            text: float(text) for text in ["2", "3", "4", "5"]
        }
        assert run.batches[-2:] == [["2"], ["3", "4", "5"]]


def test_a_batch_has_the_tokens_of_its_budget():
    run = Run()
    with served(run, batch_tokens=4) as client:
        found = client.post("/predict", json={"inputs": [["1"], ["2"], ["3"], ["4"], ["5"]]})
    assert [each[0]["score"] for each in found.json()] == [1, 2, 3, 4, 5]
    assert run.batches[1:] == [["1", "2"], ["3", "4"], ["5"]]


def test_texts_of_a_client_that_left_are_dropped():
    run = Run()
    with served(run) as client:
        run.free.clear()
        asked = Threads(client)
        asked.ask("1")
        wait_for(lambda: ["1"] in run.batches)
        limit = httpx.Timeout(PATIENCE, read=0.2)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{client.base_url}/predict", json={"inputs": "2"}, timeout=limit)
        asked.ask("3")
        wait_for(lambda: waiting(client) == 3)
        run.free.set()
        asked.join()
        assert run.batches[-1] == ["3"]


def test_more_requests_than_the_limit_are_told_to_come_back():
    run = Run()
    with served(run, requests=2) as client:
        run.free.clear()
        asked = Threads(client)
        asked.ask("1")
        asked.ask("2")
        wait_for(lambda: waiting(client) == 2)
        refused = client.post("/predict", json={"inputs": "3"})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["error_type"] == "Overloaded"
        assert client.get("/health").status_code == 200
        run.free.set()
        assert {each.status_code for each in asked.join().values()} == {200}
        assert client.post("/predict", json={"inputs": "3"}).status_code == 200


def test_a_text_does_not_wait_for_ever(monkeypatch):
    run, now = Run(), [0.0]
    monkeypatch.setattr(batching, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with served(run, queue_seconds=10) as client:
        run.free.clear()
        asked = Threads(client)
        asked.ask("1")
        wait_for(lambda: ["1"] in run.batches)
        asked.ask("2")
        wait_for(lambda: waiting(client) == 2)
        now[0] = 11.0
        run.free.set()
        answers = asked.join()
        assert (answers["1"].status_code, answers["2"].status_code) == (200, 503)
        assert answers["2"].headers["retry-after"] == "1"


def test_a_text_that_fails_does_not_fail_the_texts_of_others():
    run = Run()
    with served(run) as client:
        run.free.clear()
        asked = Threads(client)
        for count, text in enumerate(["1", "2", "refused", "broken", "3"], 1):
            asked.ask(text)
            wait_for(lambda count=count: waiting(client) == count)
        run.free.set()
        answers = asked.join()
        statuses = {text: answer.status_code for text, answer in answers.items()}
        assert statuses == {"1": 200, "2": 200, "refused": 422, "broken": 424, "3": 200}
        assert answers["refused"].json()["error"] == "a text is refused"
        assert answers["broken"].json() == {"error": "The model failed", "error_type": "Backend"}
        assert client.post("/", json={"inputs": "broken"}).status_code == 500
        assert client.post("/predict", json={"inputs": "nan"}).status_code == 424


def test_a_long_text_is_refused_where_the_server_does_not_truncate():
    with served(Run(), truncate=False) as client:
        for path, key, status in [("/", "inputs", 422), ("/predict", "inputs", 413)]:
            refused = client.post(path, json={key: "1" + " " * 20})
            assert refused.status_code == status
            assert "at most 10 tokens" in refused.json()["error"]
        allowed = client.post("/predict", json={"inputs": "1" + " " * 20, "truncate": True})
        assert allowed.status_code == 200


def test_a_slow_client_is_cut_off():
    async def slow(url, head):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(head)
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()
        return answer

    async def both(url):
        head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"
        return await slow(url, head)

    with served(Run(), read_seconds=0.1) as client:
        assert b"HTTP/1.1 408" in asyncio.run(both(client.base_url))
        assert client.post("/predict", json={"inputs": "1"}).status_code == 200


def test_a_run_that_changed_is_loaded_without_dropping_a_request():
    from clx_runtime.server.app import Life

    run = Run()
    with running(make_app([run], life=Life(reload_seconds=0.02))) as client:
        run.free.clear()
        asked = Threads(client)
        for count, text in enumerate(["1", "2"], 1):
            asked.ask(text)
            wait_for(lambda count=count: waiting(client) == count)
        # The old content computes when the test lets it, and the new one at once.
        held, run.free = run.free, threading.Event()
        run.free.set()
        run.identity, run.version = "second", 2
        wait_for(lambda: client.get("/info").headers["x-clx-model"] == "second")
        held.set()
        answers = asked.join()
        assert {each.headers["x-clx-model"] for each in answers.values()} == {"first"}
        assert {each.status_code for each in answers.values()} == {200}
        answer = client.post("/predict", json={"inputs": "3"})
        assert (score(answer), answer.headers["x-clx-model"]) == (3, "second")
        run.identity, run.version = "third", None
        assert client.get("/info").headers["x-clx-model"] == "second"


def test_it_is_healthy_once_the_model_answers():
    run = Run()
    run.free.clear()
    with served(run) as client:
        for path in ("/health", "/ping", "/info"):
            assert client.get(path).status_code == 503
        assert client.post("/predict", json={"inputs": "1"}).status_code == 503
        run.free.set()
        wait_for(lambda: client.get("/health").status_code == 200)


def test_a_token_is_required_where_one_is_set():
    with running(make_app([Run()], token="very-secret")) as client:
        for headers in ({}, {"authorization": "Bearer other"}, {"authorization": "very-secret"}):
            refused = client.post("/predict", json={"inputs": "1"}, headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        assert client.get("/info").status_code == client.get("/metrics").status_code == 401
        assert client.get("/health").status_code == client.get("/").status_code == 200
        headers = {"authorization": "Bearer very-secret"}
        assert score(client.post("/predict", json={"inputs": "1"}, headers=headers)) == 1


def test_limits_and_names_are_checked():
    with pytest.raises(ConfigError, match="texts must be more than 0") as error:
        Limits(texts=0, queue_seconds=-1)
    assert "queue_seconds" in str(error.value)
    with pytest.raises(ConfigError, match="different names"):
        make_app([Run(), Run()])


def test_a_task_without_scores_answers_with_its_own_predictions():
    run = Run()
    opened = run.open

    def without_labels():
        made = opened()
        made.facts = Facts(**{**vars(made.facts), "labels": ()})
        made.row = lambda prediction, **_: {"spans": np.array([1, 2])}
        return made

    run.open = without_labels
    with served(run) as client:
        refused = client.post("/predict", json={"inputs": "1"})
        assert (refused.status_code, refused.json()["error_type"]) == (424, "Backend")
        answer = client.post("/v1/labels", json={"texts": "1"})
        assert json.loads(answer.text)["results"] == [{"spans": [1, 2], "truncated": False}]
