"""A served run, asked by the clients of each protocol over loopback."""

import asyncio
import random

import httpx
import huggingface_hub
import pandas as pd
import pytest

from clx.ml import training_run
from clx_runtime import load
from conftest import ANIMALS, FRUIT, fruit_frame
from serving import Process, wait_for

pytest.importorskip("onnxruntime")
CHECKED = ["the apple is small", "a cat and a dog", "the red pear"]
LONG = "apple " * 90


@pytest.fixture(scope="module")
def folder(tiny_model, tmp_path_factory):
    """Two exported runs, of one label and of several labels."""
    parent, frame = tmp_path_factory.mktemp("runs"), fruit_frame()
    names = [[label, "red"] if "red" in text else [label] for text, label in frame.to_numpy()]
    several = pd.DataFrame({"text": frame["text"], "labels": names})
    options = {"fruit": {"min_score": 0.6}, "many": {"thresholds": {"red": 0.2}}}
    for task, name, data in [("classification", "fruit", frame), ("multilabel", "many", several)]:
        run = training_run(
            task, name, run_dir_parent=parent, base_model_name=tiny_model, **options[name]
        )
        run.train(data, data.iloc[:24], fine_tune=False)
        run.export("onnx", texts=CHECKED, int8=False)
    return parent


@pytest.fixture(scope="module")
def server(folder):
    server = Process(folder / "fruit", folder / "many", "--max-texts", "8", "--max-body", "20000")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def fruit(folder):
    return load(folder / "fruit")


@pytest.fixture(scope="module")
def many(folder):
    return load(folder / "many")


def pairs(entries):
    return [(entry["label"], entry["score"]) for entry in entries]


def best_first(scores):
    return sorted(scores.items(), key=lambda pair: -pair[1])


def close(found, expected):
    assert [label for label, _ in found] == [label for label, _ in expected]
    assert [score for _, score in found] == pytest.approx(
        [score for _, score in expected], abs=1e-5
    )
    return True


def test_the_inference_client_works_unchanged(server, fruit, many, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    for address, model in [(server.url, fruit), (f"{server.url}/runs/many", many)]:
        client = huggingface_hub.InferenceClient(model=address)
        found = client.text_classification("a red cat")
        expected = best_first(model.predict("a red cat")[0])
        assert close([(each.label, each.score) for each in found], expected)
        (best,) = client.text_classification("a red cat", top_k=1, function_to_apply="none")
        assert best.label == expected[0][0]
        (logits,) = model.scored("a red cat", function="none")
        assert best.score == pytest.approx(logits.scores.max(), abs=1e-4)


def test_several_labels_are_sigmoid_everywhere(client, many):
    expected = best_first(many.predict("a red cat")[0])
    assert sum(score for _, score in expected) != pytest.approx(1, abs=1e-3)
    assert close(
        pairs(client.post("/runs/many/predict", json={"inputs": "a red cat"}).json()), expected
    )
    assert close(pairs(client.post("/runs/many", json={"inputs": "a red cat"}).json()[0]), expected)
    (found,) = client.post("/runs/many/classify", json={"input": "a red cat"}).json()["data"]
    assert found["probs"] == pytest.approx(list(many.predict("a red cat")[0].values()), abs=1e-5)


def test_predict_has_the_form_of_text_embeddings_inference(client, fruit):
    expected = [best_first(scores) for scores in fruit.predict(["cat", "apple"])]
    for single in ("cat", ["cat"]):
        response = client.post("/predict", json={"inputs": single, "truncate": True})
        assert close(pairs(response.json()), expected[0])
    both = client.post("/predict", json={"inputs": [["cat"], ["apple"]]}).json()
    assert all(close(pairs(found), wanted) for found, wanted in zip(both, expected, strict=True))
    raw = client.post("/predict", json={"inputs": "cat", "raw_scores": True}).json()
    (logits,) = fruit.scored(["cat"], function="none")
    assert [each["score"] for each in raw] == pytest.approx(
        sorted(logits.scores[0], reverse=True), abs=1e-4
    )
    (nested,) = client.post("/invocations", json={"inputs": ["cat"]}).json()
    assert close(pairs(nested), expected[0])


def test_classify_has_the_forms_of_vllm_and_infinity(client, fruit):
    body = {"model": "anything", "input": ["cat", "apple"], "truncate_prompt_tokens": 10}
    answer = client.post("/classify", json=body).json()
    assert (answer["object"], answer["model"]) == ("list", "fruit")
    assert answer["usage"]["prompt_tokens"] == 6
    for number, (found, scores) in enumerate(
        zip(answer["data"], fruit.predict(["cat", "apple"]), strict=True)
    ):
        assert (found["index"], found["num_classes"]) == (number, 2)
        assert found["label"] == max(scores, key=scores.get)
        assert found["probs"] == pytest.approx(list(scores.values()), abs=1e-5)
    answer = client.post("/classify", json={"input": ["cat"], "raw_scores": False}).json()
    assert answer["object"] == "classify"
    assert close(pairs(answer["data"][0]), best_first(fruit.predict("cat")[0]))


def test_labels_are_the_decisions_of_the_run(client, fruit, many):
    texts = ["cat", "apple", "a red cat", "", LONG]
    for path, model in [("", fruit), ("/runs/many", many)]:
        for min_score in (None, 0.999):
            body = {"texts": texts, "min_score": min_score, "all_scores": True}
            answer = client.post(f"{path}/v1/labels", json=body).json()
            decisions = model.predict_labels(texts[:4], min_score=min_score)
            wanted = [[] if each is None else each for each in decisions]
            wanted = [[each] if isinstance(each, str) else each for each in wanted]
            assert [each["labels"] for each in answer["results"][:4]] == wanted
            assert [each["truncated"] for each in answer["results"]] == [False] * 4 + [True]
            abstained = [each["abstained"] for each in answer["results"][:4]]
            assert abstained == [each is None for each in decisions]
            assert answer["results"][0]["all_scores"] == pytest.approx(
                model.predict("cat")[0], abs=1e-5
            )
    assert answer["model"] == "many"
    assert client.post("/v1/labels", json={"texts": []}).json()["results"] == []


def test_the_header_says_which_model_answered(client, fruit, many):
    for path, model in [("/", fruit), ("/runs/many", many)]:
        response = client.post(path, json={"inputs": "cat"})
        assert response.headers["x-clx-model"] == model.identity.digest
    info = client.get("/info").json()
    assert (info["model_id"], info["labels"]) == ("fruit", ["animal", "fruit"])
    assert info["limits"] == {"animal": 0.6, "fruit": 0.6}
    assert client.get("/runs/many/info").json()["limits"]["red"] == 0.2
    assert info["max_input_length"] == 64


WRONG = [
    ("/", {}, 422, "inputs: Field required"),
    ("/", {"inputs": 3}, 422, "inputs: must be a text"),
    ("/", {"inputs": ["a", None]}, 422, "inputs.1: must be a text"),
    ("/", {"inputs": "a", "parameters": {"top_k": 0}}, 422, "parameters.top_k: "),
    ("/", {"inputs": "a", "parameters": {"function_to_apply": "x"}}, 422, "function_to_apply: "),
    ("/", {"inputs": {"text": "a", "text_pair": "b"}}, 422, "reads one text"),
    ("/", {"inputs": ["a"] * 9}, 413, "batch size 9 > maximum allowed batch size 8"),
    ("/", {"inputs": "a" * 30000}, 413, "at most 20000 bytes"),
    ("/", b'{"inputs": "a', 422, "Invalid JSON"),
    ("/", b'{"inputs": "\\ud800"}', 422, "at line 1 column"),
    ("/", b'{"inputs": "\xff"}', 422, "Invalid JSON"),
    ("/", b"[" * 10000, 422, "Invalid JSON"),
    ("/v1/labels", b"[]", 422, "the body"),
    ("/v1/labels", {"texts": "a", "min_scores": 0.5}, 422, "min_scores: Extra inputs"),
    ("/v1/labels", {"texts": "a", "min_score": 1.5}, 422, "min_score: "),
    ("/v1/labels", b'{"texts": "a", "min_score": NaN}', 422, "min_score: "),
    ("/v1/labels", {"texts": "a", "min_score": "0.5"}, 422, "min_score: "),
    ("/classify", {"input": {"a": 1}}, 422, "input.text: must be a text"),
    ("/predict", b'{"inputs": "a', 400, "Invalid JSON"),
    ("/predict", b'{"inputs": "\\udc00 a"}', 400, "Invalid JSON"),
    ("/predict", {"inputs": []}, 400, "`inputs` cannot be empty"),
    ("/predict", {"inputs": ""}, 400, "`inputs` cannot be empty"),
    ("/predict", {"inputs": 3}, 422, "inputs: must be a text"),
    ("/predict", {"inputs": ["a", "b"]}, 422, "a batch is [[text], [text]]"),
    ("/predict", {"inputs": [["a"], ["b", "c"]]}, 422, "inputs.1: is a pair"),
    ("/predict", {"inputs": [["a"]] * 9}, 413, "batch size 9 > maximum allowed batch size 8"),
    ("/predict", {"inputs": LONG, "truncate": False}, 413, "at most 64 tokens"),
    ("/nowhere", {}, 404, "Not Found"),
    ("/runs/other/predict", {"inputs": "a"}, 404, "no such run"),
    ("/health", {}, 405, "Method Not Allowed"),
]


@pytest.mark.parametrize(("path", "body", "status", "message"), WRONG)
def test_what_is_wrong_is_named(client, path, body, status, message):
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    response = client.post(path, **sent)
    assert response.status_code == status
    answer = response.json()
    assert message in answer["error"]
    assert answer["error_type"]


def test_the_error_reaches_the_user_of_the_inference_client(server, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    client = huggingface_hub.InferenceClient(model=server.url)
    with pytest.raises(Exception, match="at most 20000 bytes"):
        client.text_classification("a" * 30000)


def test_fifty_clients_at_once_get_their_own_answers(server, fruit):
    rng = random.Random(0)
    texts = [" ".join(rng.choices(FRUIT + ANIMALS, k=rng.randint(1, 20))) for _ in range(600)]
    expected = fruit.predict(texts)

    async def ask(client, share):
        found = []
        for text in share:
            response = await client.post("/predict", json={"inputs": text})
            found.append({each["label"]: each["score"] for each in response.json()})
        return found

    async def ask_all():
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:
            return await asyncio.gather(*(ask(client, texts[n::50]) for n in range(50)))

    found = asyncio.run(ask_all())
    for n, share in enumerate(found):
        for scores, wanted in zip(share, expected[n::50], strict=True):
            assert scores == pytest.approx(wanted, abs=1e-5)


def test_metrics_and_documentation(client):
    client.post("/predict", json={"inputs": "cat"})
    text = client.get("/metrics").text
    for name in [
        'te_request_count{method="single"}',
        'te_request_success{method="single"}',
        "te_request_duration_bucket",
        "te_request_inference_duration_count",
        "te_batch_next_size_sum",
        "te_batch_next_tokens_sum",
        'te_queue_size{run="fruit"}',
    ]:
        assert name in text
    assert client.get("/health").status_code == client.get("/ping").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/", "/invocations", "/predict", "/classify", "/v1/labels"} <= set(paths)
    schema = paths["/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"inputs", "parameters"}
    page = client.get("/docs").text
    for said in ("/v1/labels", "min_score", "number or null", "required", "openapi.json"):
        assert said in page
    assert "src=" not in page, "nothing is loaded from elsewhere"
    assert "http" not in page.replace("http://HOST:PORT", "")


def test_the_log_has_a_line_per_request_and_no_text(server, client):
    def lines():
        return [each for each in server.events("request") if each["path"] == "/v1/labels"]

    # A line is written after its answer, so those of earlier tests may still come.
    client.post("/v1/labels", json={"texts": ["a secret melon", "cat"]})
    wait_for(lambda: lines() and lines()[-1]["status"] == 200 and lines()[-1]["texts"] == 2)
    client.post("/v1/labels", json={"texts": ["a secret melon", 3]})
    wait_for(lambda: lines()[-1]["status"] == 422)
    answered, refused = lines()[-2:]
    assert (answered["method"], answered["status"]) == ("POST", 200)
    assert (answered["run"], answered["texts"]) == ("fruit", 2)
    assert {"ms", "queue_ms", "time"} <= set(answered)
    assert refused["status"] == 422
    assert not any("secret" in line for line in server.lines)
