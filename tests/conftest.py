"""What the tests share: an offline environment, tiny models, one trained run a session."""

from __future__ import annotations

import itertools
import logging
import os
import random
import shutil
import sys
import time
from pathlib import Path

# Before anything imports huggingface_hub, which reads them at import.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TERM"] = "xterm"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# clx sets it too, but a test may import the package itself.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import pandas as pd
import pytest

WORDS = """[PAD] [UNK] [CLS] [SEP] [MASK] apple banana cherry grape lemon melon cat dog horse cow
sheep goat a an the is eats red green big small and one two three four five""".split()

FRUIT = "apple banana cherry grape lemon melon".split()
ANIMALS = "cat dog horse cow sheep goat".split()


def pytest_addoption(parser):
    """Add ``--shuffle SEED`` and ``--slow``."""
    parser.addoption(
        "--slow", action="store_true", help="run the tests that are marked as slow too"
    )
    parser.addoption(
        "--shuffle", metavar="SEED", help="run the tests in the random order of a seed"
    )


def pytest_configure(config):
    """Let hypothesis try the same examples in each run, on a machine of any speed."""
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("same")


def pytest_collection_modifyitems(config, items):
    """Leave out slow tests unless ``--slow`` is given, and with ``--shuffle``, shuffle the tests."""
    if not config.getoption("slow"):
        left_out = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    _shuffle(config.getoption("shuffle"), items)


def _shuffle(seed, items):
    """Shuffle the modules, and the tests of each; module fixtures are made once."""
    if seed is None:
        return
    modules = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    generator = random.Random(seed)
    shuffled = list(modules.values())
    generator.shuffle(shuffled)
    for module in shuffled:
        generator.shuffle(module)
    items[:] = [item for module in shuffled for item in module]


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk():
    """Leave out ``fsync``, of which a test would notice nothing but the time that it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def seeded():
    """Give every test the same random numbers, whatever ran before it."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def _data_dirs(tmp_path_factory):
    """New folders. ``mktemp`` reads the names of all earlier ones, which takes longer each time."""
    parent = tmp_path_factory.mktemp("data")
    return (parent / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_data_dir(_data_dirs, monkeypatch):
    """Keep every test's runs in a folder of its own."""
    folder = next(_data_dirs)
    folder.mkdir()
    monkeypatch.setenv("LOCAL_DATA_DIR", str(folder))
    monkeypatch.delenv("CLX_PLUGINS", raising=False)
    return folder


def make_tiny_model(folder: Path, **config) -> Path:
    """Write a random two-layer BERT with a word vocabulary; it knows nothing."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    vocab = {word: number for number, word in enumerate(WORDS)}
    tokenizer = BertTokenizerFast(vocab=vocab, model_max_length=64)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 64, "max_position_embeddings": 64}
    model = BertModel(BertConfig(vocab_size=len(WORDS), **{**sizes, **config}))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """The folder of a tiny random BERT with its tokenizer."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def mixed_texts(count=60):
    """Texts of 0 to 90 words, some of them twice; the model takes 64 tokens."""
    rng = random.Random(0)
    texts = [
        " ".join(rng.choice(FRUIT + ANIMALS + ["and", "the"]) for _ in range(int(size)))
        for size in (rng.triangular(0, 90, 3) for _ in range(count))
    ]
    return [*texts, *texts[:20], ""]


def fruit_frame(rows: int = 40) -> pd.DataFrame:
    """Texts about fruit and animals that a tiny model learns in a few epochs."""
    texts, labels = [], []
    for number in range(rows):
        words, label = (FRUIT, "fruit") if number % 2 else (ANIMALS, "animal")
        extra = " and the big red" * (number % 3)
        word = words[number // 2 % 6]
        texts.append(f"the {word} is a {words[number % 5]}{extra}" if number % 8 > 1 else word)
        labels.append(label)
    return pd.DataFrame({"text": texts, "label": labels})


@pytest.fixture
def fruit() -> pd.DataFrame:
    """40 rows of text and label, two labels."""
    return fruit_frame()


@pytest.fixture(scope="session")
def _trained_once(tiny_model, tmp_path_factory) -> Path:
    from clx.ml import training_run

    run = training_run(
        "classification",
        "trained",
        run_dir_parent=tmp_path_factory.mktemp("runs"),
        base_model_name=tiny_model,
        training_args={"num_train_epochs": 15, "learning_rate": 5e-3, "disable_tqdm": True},
    )
    run.train(fruit_frame(), fruit_frame(12))
    return run.run_dir


@pytest.fixture
def trained(_trained_once, tmp_path) -> Path:
    """A run directory of task classification, labels animal and fruit: a copy of one's own."""
    return Path(shutil.copytree(_trained_once, tmp_path / "trained"))


@pytest.fixture(scope="module")
def browser():
    """Debian's chromium, headless; not longer than for a module, because it runs an event loop."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        # A busy machine takes longer than the 30 seconds of Playwright.
        browser = playwright.chromium.launch(
            executable_path=program, args=arguments, timeout=300_000
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def _ray_started():
    import ray

    # Otherwise, Ray kills workers while other programs use most of the memory.
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_memory_monitor_refresh_ms", "0")
    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=80 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield ray
    ray.shutdown()
    patch.undo()


@pytest.fixture
def ray_cluster(_ray_started):
    """Ray, connected to a cluster of two CPUs on this machine, both free."""
    until = time.monotonic() + 300
    while _ray_started.available_resources().get("CPU", 0) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    return _ray_started
