"""A run that is pushed to the Hub opens there as it was, and nothing private goes with it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from clx.errors import ClxWarning, ConfigError, HubError, RunDirError, RunNotFoundError
from clx.ml import training_run
from clx.ml.run_directory import hub_requests
from hub_stub import READ_ONLY, TOKEN, Repository

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TEXTS = ["the apple", "dog and cow"]


def content_of(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_shared_run_opens_with_its_scores_labels_and_thresholds(hub, secrets):
    before = content_of(secrets.parent)
    run = training_run(load=secrets)
    result = run.push_to_hub("me/fruit-or-animal", private=True)
    assert content_of(secrets.parent) == before
    repository = hub.repositories["me/fruit-or-animal"]
    assert repository.private
    assert len(repository.commits) == 2
    assert result.url == f"{hub.endpoint}/me/fruit-or-animal/tree/{result.revision}"
    assert set(result.files) == set(hub.files("me/fruit-or-animal")) - {".gitattributes"}

    for address in ("hf://me/fruit-or-animal", result.address):
        other = training_run(load=address, verify=True)
        assert other.predict(TEXTS) == run.predict(TEXTS)
        assert other.predict_labels(TEXTS) == run.predict_labels(TEXTS)
        assert other.thresholds == run.thresholds
        assert other.label_names == ["animal", "fruit"]
        assert other.run_name == "fruit-or-animal"
        assert other.results["metrics"] == run.results["metrics"]


def test_a_pipeline_reads_the_shared_model(hub, secrets):
    from transformers import pipeline

    run = training_run(load=secrets)
    run.push_to_hub("me/fruit")
    pipe = pipeline("text-classification", model="me/fruit", top_k=None)
    for got, expected in zip(pipe(TEXTS), run.predict(TEXTS), strict=True):
        assert {each["label"]: each["score"] for each in got} == pytest.approx(expected, abs=1e-6)


def test_nothing_private_is_shared_and_what_is_left_out_is_listed(hub, secrets, monkeypatch):
    monkeypatch.setenv("HOME", str(secrets.parents[1]))
    (secrets / "notes.txt").write_text("mine")
    (secrets / "model" / "training_args.bin").write_text("a pickle")
    (secrets / "logs").mkdir(exist_ok=True)
    (secrets / "logs" / "metrics.jsonl").write_text(
        '{"step": 1, "loss": 2.0, "host": "alice-pc"}\n'
    )
    (secrets / "logs" / "events.alice-pc").write_text("x")
    settings = json.loads((secrets / "environment.json").read_text())
    (secrets / "environment.json").write_text(json.dumps({**settings, "host": "alice-pc"}))
    result = training_run(load=secrets).push_to_hub("me/fruit")
    shared = hub.files("me/fruit")
    for private in ("onfidential", "alice", str(secrets.parents[1]), "models", TOKEN):
        assert [name for name, content in shared.items() if private.encode() in content] == []
    assert json.loads(shared["clx/config.json"])["base_model_name"] == "tiny"
    assert json.loads(shared["clx/logs/metrics.jsonl"]) == {"step": 1, "loss": 2.0}
    assert [each.partition(":")[0] for each in result.left_out] == [
        "config.json",
        "results.json",
        "results.json",
        "report.html",
        "results.json",
        "logs/events.alice-pc",
        "model/training_args.bin",
        "notes.txt",
    ]
    listed = str(result)
    assert "confident mistakes" in listed
    assert "findings of the data check" in listed


def test_texts_are_shared_if_asked(hub, secrets):
    result = training_run(load=secrets).push_to_hub("me/fruit", include_texts=True)
    shared = hub.files("me/fruit")
    with_texts = {name for name, content in shared.items() if b"onfidential" in content}
    assert with_texts == {"clx/results.json", "clx/report.html"}
    assert result.include_texts
    assert not any("mistakes" in each for each in result.left_out)
    assert [name for name, content in shared.items() if b"alice" in content] == []


def test_the_card_says_what_the_model_is(hub, secrets):
    import yaml

    run = training_run(load=secrets)
    run.push_to_hub("me/fruit", license="apache-2.0")
    card = hub.files("me/fruit")["README.md"].decode()
    metadata = yaml.safe_load(card.split("---")[1])
    assert metadata["license"] == "apache-2.0"
    assert "base_model" not in metadata
    (result,) = metadata["model-index"][0]["results"]
    assert result["task"] == {"type": "text-classification"}
    metrics = {each["type"]: each for each in result["metrics"]}
    assert metrics["f1_micro"]["value"] == run.results["metrics"]["f1_micro"]
    low, high = (run.results["metrics"][f"f1_macro_{end}"] for end in ("low", "high"))
    assert metrics["f1_macro"]["name"] == f"f1_macro (95%: {low:.4f} to {high:.4f})"
    assert "f1_macro_low" not in metrics
    for said in (
        run.results["data"]["train"][:16],
        f'"fruit": from a score of {run.thresholds["fruit"]:.4f}',
        "| animal | ",
        'training_run(load="hf://me/fruit")',
        'pipeline("text-classification", model="me/fruit")',
        "## Limits",
    ):
        assert said in card


def test_a_download_takes_its_card_to_another_repository(hub, secrets):
    import yaml

    training_run(load=secrets).push_to_hub("me/fruit", license="apache-2.0")
    files = hub.files("me/fruit")
    written = files["README.md"] + b"\n## From the owner\n\nAsk Ada.\n"
    hub.repositories["me/fruit"].add("main", {**files, "README.md": written}, "x")
    training_run(load="hf://me/fruit").push_to_hub("me/other")
    card = hub.files("me/other")["README.md"].decode()
    assert yaml.safe_load(card.split("---")[1])["license"] == "apache-2.0"
    assert "Ask Ada." in card
    assert "me/fruit" not in card


def test_each_commit_keeps_its_run_and_old_files_go(hub, secrets):
    (secrets / "extra").mkdir()
    (secrets / "extra" / "words.txt").write_text("apple")
    relist(secrets)
    first = training_run(load=secrets).push_to_hub("me/fruit")
    change_config(secrets, thresholds={"animal": 0.9, "fruit": 0.9})
    (secrets / "extra" / "words.txt").unlink()
    relist(secrets)
    hub.repositories["me/fruit"].add("main", {**hub.files("me/fruit"), "LICENSE": b"mine"}, "x")
    second = training_run(load=secrets).push_to_hub("me/fruit", message="New thresholds")
    assert "clx/extra/words.txt" in hub.files("me/fruit", first.revision)
    assert "clx/extra/words.txt" not in hub.files("me/fruit")
    assert hub.files("me/fruit")["LICENSE"] == b"mine"
    assert hub.repositories["me/fruit"].messages[second.revision] == "New thresholds"
    assert training_run(load=first.address).thresholds["fruit"] != 0.9
    assert training_run(load="hf://me/fruit").thresholds["fruit"] == 0.9
    third = training_run(load=secrets).push_to_hub("me/fruit", revision="next", license="mit")
    assert hub.repositories["me/fruit"].branches["next"] == third.revision
    assert hub.repositories["me/fruit"].branches["main"] == second.revision
    assert training_run(load="hf://me/fruit@next").thresholds["fruit"] == 0.9


def relist(folder):
    """Write the manifest of a run anew."""
    from clx.ml.run_directory.files import write_json
    from clx.ml.run_directory.layout import IN_MANIFEST
    from clx_runtime.files import file_sha256

    files = {
        path.relative_to(folder).as_posix(): {
            "size": path.stat().st_size,
            "sha256": file_sha256(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] in IN_MANIFEST
    }
    write_json(folder / "manifest.json", {"files": files})


def change_config(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))
    relist(folder)


# ---- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "said"),
    [(None, "no token"), ("hf_wrong", "does not accept the token"), (READ_ONLY, "does not permit")],
)
def test_a_push_without_the_right_token_says_so(hub, secrets, monkeypatch, token, said):
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError, match=said) as caught:
        training_run(load=secrets).push_to_hub("me/fruit")
    assert token is None or token not in str(caught.value)
    assert hub.repositories == {}


def test_a_token_may_be_given(hub, secrets, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="does not accept the token"):
        training_run(load=secrets).push_to_hub("me/fruit", token="hf_wrong")
    training_run(load=secrets).push_to_hub("me/fruit", token=TOKEN)
    assert "clx/manifest.json" in hub.files("me/fruit")


def test_a_private_run_opens_with_a_token_only(hub, secrets, monkeypatch):
    training_run(load=secrets).push_to_hub("me/fruit")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="no token to read a private one"):
        training_run(load="hf://me/fruit")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert training_run(load="hf://me/fruit").is_trained


def test_a_public_repository_does_not_get_what_should_be_private(hub, secrets):
    run = training_run(load=secrets)
    run.push_to_hub("me/fruit", private=False)
    commits = len(hub.repositories["me/fruit"].commits)
    with pytest.raises(ConfigError, match="is public"):
        run.push_to_hub("me/fruit", private=True)
    assert len(hub.repositories["me/fruit"].commits) == commits
    run.push_to_hub("me/fruit", license="mit")
    assert not hub.repositories["me/fruit"].private


@pytest.mark.parametrize(
    "arguments",
    [
        {"repo": "fruit"},
        {"repo": "me/../fruit"},
        {"repo": "me/fruit", "revision": "0" * 40},
        {"repo": "me/fruit", "revision": "a b"},
        {"repo": "me/fruit", "license": "Apache 2"},
        {"repo": "me/fruit", "message": ""},
        {"repo": "me/fruit", "private": "yes"},
        {"repo": "me/fruit", "include_texts": "yes"},
    ],
    ids=lambda arguments: str(list(arguments.values())[-1])[:8],
)
def test_wrong_arguments_are_refused_before_the_hub_is_asked(hub, secrets, arguments):
    with pytest.raises(ConfigError):
        training_run(load=secrets).push_to_hub(**arguments)
    assert hub.requests == []


def test_a_path_in_a_file_of_the_task_is_not_shared(hub, secrets):
    (secrets / "extra").mkdir()
    (secrets / "extra" / "words.txt").write_text(f"from {secrets.parent}/words")
    relist(secrets)
    with pytest.raises(ConfigError, match=r"extra/words\.txt holds the path"):
        training_run(load=secrets).push_to_hub("me/fruit")
    assert hub.repositories == {}


def test_a_copy_that_does_not_open_is_not_uploaded(hub, secrets, monkeypatch):
    def broken(config):
        return {**config, "long_text": "x"}, []

    monkeypatch.setattr("clx.ml.sharing.shared_copy.clean_config", broken)
    with pytest.raises(RunDirError, match="long_text"):
        training_run(load=secrets).push_to_hub("me/fruit")
    assert hub.repositories == {}


def test_a_damaged_run_is_not_shared(hub, secrets):
    run = training_run(load=secrets)
    weights = secrets / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(RunDirError, match="damaged"):
        run.push_to_hub("me/fruit")
    assert hub.repositories == {}


FIRST_ANSWER_S = hub_requests.FIRST_ANSWER_S
"""What users have; the Hub of these tests may take longer."""


@pytest.mark.parametrize("away", ["offline", "refused", "silent"])
def test_without_the_hub_there_is_an_error_within_five_seconds(hub, secrets, monkeypatch, away):
    from huggingface_hub import constants

    assert FIRST_ANSWER_S < 5

    if away == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif away == "refused":
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    else:
        hub.hold = ("GET", "/api/models")
        monkeypatch.setattr(hub_requests, "FIRST_ANSWER_S", 0.5)
    run = training_run(load=secrets)
    for call in (lambda: run.push_to_hub("me/fruit"), lambda: training_run(load="hf://me/fruit")):
        start = time.monotonic()
        with pytest.raises(HubError, match=r"HF_HUB_OFFLINE|cannot be reached"):
            call()
        # The silent Hub answers after 30 seconds.
        assert time.monotonic() - start < 25


def test_a_request_that_hangs_outside_of_the_client_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(hub_requests, "FIRST_ANSWER_S", 0.05)
    ended = threading.Event()
    with pytest.raises(TimeoutError):
        hub_requests.first_answer(lambda: ended.wait(5))
    assert not ended.is_set()
    ended.set()


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("hf://me/nothing", RunNotFoundError, "no repository me/nothing"),
        ("hf://me/fruit@nothing", RunNotFoundError, "no such revision"),
        ("hf://me/empty", RunNotFoundError, "holds no clx run"),
        ("hf://fruit", ConfigError, "owner/name"),
        ("hf://me/fruit@../x", ConfigError, "revision"),
    ],
)
def test_an_address_without_a_run_is_an_error(hub, address, kind, said):
    hub.repositories |= {"me/fruit": Repository(False), "me/empty": Repository(False)}
    with pytest.raises(kind, match=said):
        training_run(load=address)


def test_another_push_at_the_same_time_is_an_error_that_says_so(hub, secrets):
    run = training_run(load=secrets)
    run.push_to_hub("me/fruit")
    hub.fail["POST", "/commit/"] = 412
    with pytest.raises(HubError, match="was changed meanwhile"):
        run.push_to_hub("me/fruit", license="mit")


# ---- A copy on this machine ----------------------------------------------------------------------


def test_a_downloaded_run_opens_without_the_hub(hub, secrets, monkeypatch):
    from huggingface_hub import constants

    result = training_run(load=secrets).push_to_hub("me/fruit")
    opened = training_run(load="hf://me/fruit")
    asked = len(hub.requests)
    assert training_run(load=result.address).run_dir == opened.run_dir
    assert len(hub.requests) == asked
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert training_run(load="hf://me/fruit").run_dir == opened.run_dir
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.warns(ClxWarning, match="last download is used") as warned:
        assert training_run(load="hf://me/fruit").run_dir == opened.run_dir
    assert warned[0].filename == __file__


def test_a_changed_copy_is_not_taken_for_the_shared_run(hub, secrets):
    training_run(load=secrets).push_to_hub("me/fruit")
    opened = training_run(load="hf://me/fruit")
    change_config(opened.run_dir, thresholds={"animal": 0.1, "fruit": 0.1})
    with pytest.raises(RunDirError, match="was changed after its download"):
        training_run(load="hf://me/fruit")
    assert training_run(load=opened.run_dir).thresholds["fruit"] == 0.1


def test_a_run_from_the_hub_can_be_shared_again(hub, secrets):
    training_run(load=secrets).push_to_hub("me/fruit")
    training_run(load="hf://me/fruit").push_to_hub("you/fruit")
    first, second = (training_run(load=f"hf://{who}/fruit") for who in ("me", "you"))
    assert first.predict(TEXTS) == second.predict(TEXTS)


# ---- A push that is killed -----------------------------------------------------------------------


def test_a_killed_push_leaves_neither_half_a_run_nor_a_changed_one(hub, secrets):
    run = training_run(load=secrets)
    first = run.push_to_hub("me/fruit")
    change_config(secrets, thresholds={"animal": 0.9, "fruit": 0.9})
    before = content_of(secrets)
    hub.blobs.clear()
    hub.hold = ("PUT", "/blob/")
    code = "import sys; from clx.ml import training_run; training_run(load=sys.argv[1])"
    code += ".push_to_hub(sys.argv[2])"
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    pushing = subprocess.Popen(
        [sys.executable, "-c", code, str(secrets), "me/other"],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    assert hub.held.wait(60)
    pushing.send_signal(signal.SIGKILL)
    pushing.wait()
    hub.hold = None
    hub.release.set()
    assert content_of(secrets) == before
    assert set(hub.files("me/other")) == {".gitattributes"}
    with pytest.raises(RunNotFoundError, match="holds no clx run"):
        training_run(load="hf://me/other")
    assert training_run(load="hf://me/fruit").thresholds == run.thresholds
    assert hub.repositories["me/fruit"].branches["main"] == first.revision

    (left,) = secrets.parent.glob(".secrets.shared-*")
    os.utime(left, (0, 0))
    training_run(load=secrets).push_to_hub("me/other")
    assert training_run(load="hf://me/other").thresholds["fruit"] == 0.9
    assert os.listdir(secrets.parent) == ["secrets"]


# ---- The model card ------------------------------------------------------------------------------


def write_into(card):
    """Write a paragraph, a license and a tag into a card, as its owner does."""
    text = card.read_text()
    tags = next(line for line in text.splitlines() if line.startswith("tags:"))
    text = text.replace(tags, 'tags: ["clx", "orchard"]\nlicense: mit')
    card.write_text(text.replace("\n## Limits", "\nMade for the orchard.\n\n## Limits"))


def card_on(hub, repository="me/fruit"):
    import yaml

    _, metadata, body = hub.files(repository)["README.md"].decode().split("---\n", 2)
    return yaml.safe_load(metadata), body


def test_what_the_owner_wrote_into_the_card_is_shared(hub, secrets):
    write_into(secrets / "model" / "README.md")
    run = training_run(load=secrets)
    run.push_to_hub("me/fruit")
    metadata, body = card_on(hub)
    assert (metadata["license"], metadata["tags"]) == ("mit", ["clx", "orchard"])
    assert body.count("Made for the orchard.") == 1
    assert "# fruit\n" in body
    assert 'model="me/fruit"' in body
    assert "path/to/this/folder" not in body
    run.push_to_hub("me/fruit", license="apache-2.0")
    assert card_on(hub)[0]["license"] == "apache-2.0"
    # What the owner removes here goes there too.
    card = secrets / "model" / "README.md"
    card.write_text(card.read_text().replace("Made for the orchard.\n", "For any tree.\n"))
    training_run(load=secrets).push_to_hub("me/fruit")
    assert "orchard." not in card_on(hub)[1]
    assert "For any tree." in card_on(hub)[1]


def test_what_was_written_on_the_hub_stays(hub, secrets):
    run = training_run(load=secrets)
    created = b"---\nlicense: mit\ntags:\n- orchard\n---\nA model for the orchard.\n"
    hub.repositories["me/fruit"] = Repository(private=True)
    hub.repositories["me/fruit"].add("main", {"README.md": created}, "Made on the page")
    run.push_to_hub("me/fruit")
    metadata, body = card_on(hub)
    assert (metadata["license"], metadata["tags"][-1]) == ("mit", "orchard")
    assert body.count("A model for the orchard.") == 1
    assert "## Limits" in body
    files = hub.files("me/fruit")
    edited = files["README.md"].replace(b"\n## Use", b"\nAsk me first.\n\n## Use")
    edited += b"\n## Thanks\n\nTo all.\n"
    hub.repositories["me/fruit"].add("main", {**files, "README.md": edited}, "Edited on the page")
    run.set_decisions(thresholds=0.4)
    run.push_to_hub("me/fruit")
    metadata, body = card_on(hub)
    assert metadata["license"] == "mit"
    for text in ("A model for the orchard.", "Ask me first.", "## Thanks\n\nTo all.", "0.4000"):
        assert text in body
    # A downloaded run has no card, so the one on the Hub stays.
    training_run(load="hf://me/fruit").push_to_hub("me/fruit")
    metadata, body = card_on(hub)
    assert metadata["license"] == "mit"
    assert body.count("A model for the orchard.") == 1


def test_what_was_written_on_the_hub_stays_in_every_later_push(hub, secrets):
    run = training_run(load=secrets)
    run.push_to_hub("me/fruit", license="mit")
    run.push_to_hub("me/fruit")
    # The argument is the only place that named the license.
    assert card_on(hub)[0]["license"] == "mit"
    files = hub.files("me/fruit")
    edited = files["README.md"] + b"\nThanks to all.\n"
    hub.repositories["me/fruit"].add("main", {**files, "README.md": edited}, "Edited on the page")
    for _ in range(2):
        run.push_to_hub("me/fruit")
        assert card_on(hub)[1].count("Thanks to all.") == 1
    run.push_to_hub("me/fruit", license="apache-2.0")
    metadata, body = card_on(hub)
    assert metadata["license"] == "apache-2.0"
    assert body.count("Thanks to all.") == 1


# ---- A shared run as the base model --------------------------------------------------------------


def test_a_shared_run_is_a_base_model_by_its_address(hub, secrets, tmp_path):
    shared = training_run(load=secrets).push_to_hub("me/fruit")
    data = pd.DataFrame({"text": ["the apple", "a dog"] * 6, "labels": [["fruit"], ["animal"]] * 6})
    for address in ("hf://me/fruit", shared.address):
        run = training_run(
            "multilabel", "onto", base_model_name=address, run_dir_parent=tmp_path / "own"
        )
        run.train(data, fine_tune=False, overwrite=True)
        assert run.config["base_model_name"] == address
        assert run.config["base_run"]["run_name"] == "fruit"
    run.push_to_hub("me/onto")
    assert json.loads(hub.files("me/onto")["clx/config.json"])["base_model_name"] == shared.address
    frame = run.compare_bases(data, bases=["hf://me/fruit"], folds=2)
    assert frame["base"].tolist() == ["hf://me/fruit"]
    with pytest.raises(RunNotFoundError, match="me/none"):
        training_run("multilabel", "x", base_model_name="hf://me/none").train(data)
