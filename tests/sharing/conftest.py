"""A Hub on loopback, and a run to share there."""

import random

import pandas as pd
import pytest

from clx.ml import training_run
from clx.ml.run_directory import hub_requests
from conftest import ANIMALS, FRUIT
from hub_stub import TOKEN, Hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub that the real ``huggingface_hub`` of this process uses, logged in."""
    from huggingface_hub import constants, hf_api, utils

    server = Hub().start()
    template = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    # These keep the endpoint of the time when they were made.
    monkeypatch.setattr(hf_api.api, "endpoint", server.endpoint)
    monkeypatch.setattr("transformers.utils.hub._hf_api", None, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    # This Hub answers, however busy the machine is.
    monkeypatch.setattr(hub_requests, "FIRST_ANSWER_S", 60)
    # The Hub's client looks up which program it runs in, on the Hub.
    monkeypatch.setattr(utils._http, "detect_agent", lambda: None, raising=False)
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()
    utils.close_session()


def confidential_rows(seed: int, rows: int = 40) -> pd.DataFrame:
    """Texts that no other file has, half of them with the wrong labels."""
    rng = random.Random(seed)
    texts, labels = [], []
    for number in range(rows):
        words, label = (FRUIT, "fruit") if number % 2 else (ANIMALS, "animal")
        texts.append(f"Confidential {number} {rng.choice(words)} {rng.choice(words)} {seed}")
        labels.append([label] if number % 3 else ["fruit", "animal"][: 1 + number % 2])
    return pd.DataFrame({"text": texts, "labels": labels})


@pytest.fixture(scope="session")
def _shared_once(tiny_model, tmp_path_factory):
    run = training_run(
        "multilabel",
        "secrets",
        run_dir_parent=tmp_path_factory.mktemp("alice"),
        base_model_name=tiny_model,
        label_names=["animal", "fruit"],
        training_args={"logging_steps": 1, "disable_tqdm": True},
    )
    data = confidential_rows(1)
    # Repeated rows, so that the data check has examples.
    run.train(pd.concat([data, data[:9]]), confidential_rows(2), fine_tune=False)
    return run.run_dir


@pytest.fixture
def secrets(_shared_once, tmp_path):
    """A run with thresholds, mistakes and findings: a copy of one's own, in a folder of alice."""
    import shutil

    return shutil.copytree(_shared_once, tmp_path / "home" / "alice" / "secrets")
