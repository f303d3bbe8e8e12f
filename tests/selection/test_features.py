"""The cache of features: what it finds again, what it computes anew, and how it stays small."""

import os

import pytest
import torch

from clx.errors import ClxWarning
from clx.ml import training_run
from clx.ml.machine.tensor_cache import Entry, TensorCache
from clx.ml.model.head import fit_probe
from clx.ml.selection import features as module
from clx.settings import cache_dir
from conftest import fruit_frame, make_tiny_model

COLUMNS = ["base", "accuracy", "accuracy_low", "accuracy_high", "seconds_per_1000", "parameters"]


@pytest.fixture(autouse=True)
def quick_probe(monkeypatch):
    """Fit the probe with a fixed regularization: to choose it takes most of the time of small data."""
    monkeypatch.setattr(fit_probe, "MIN_COMPARED_ROWS", 1000)


@pytest.fixture
def read(monkeypatch):
    """The number of rows of each pass of a model."""
    passes = []
    collect = module.collect_features

    def counted(model, layer, dataset, collator):
        passes.append(len(dataset))
        return collect(model, layer, dataset, collator)

    monkeypatch.setattr(module, "collect_features", counted)
    return passes


def compare(base, rows, **options):
    options = {"training_args": {"disable_tqdm": True}, "label_texts": None, **options}
    run = training_run("classification", "run", base_model_name=base, **options)
    return run.compare_bases(rows, bases=[base])


def entries():
    return sorted((cache_dir() / "features").glob("*.safetensors"))


def test_the_same_rows_are_read_once(tiny_model, read):
    rows = fruit_frame(24)
    first = compare(tiny_model, rows, pooling="mean")
    assert read == [24]
    torch.manual_seed(7)
    again = compare(tiny_model, rows, pooling="mean")
    assert read == [24]
    assert again.equals(first)  # with the seconds that were measured
    relabeled = rows.assign(label=["one", "two", "three"] * 8)
    compare(tiny_model, relabeled, pooling="mean")
    assert read == [24]
    assert not any(b"apple" in path.read_bytes() for path in entries())


def test_other_rows_weights_or_poolings_are_read_again(tiny_model, tmp_path, read):
    rows = fruit_frame(24)
    compare(tiny_model, rows, pooling="mean")
    compare(tiny_model, rows, pooling="cls")
    assert len(read) == 2
    rows.loc[3, "text"] = "a goat"
    compare(tiny_model, rows, pooling="mean")
    assert len(read) == 3
    folder = make_tiny_model(tmp_path / "same")
    compare(folder, rows, pooling="mean")
    assert len(read) == 3  # equal content, in another place
    make_tiny_model(folder, intermediate_size=48)
    compare(folder, rows, pooling="mean")
    assert len(read) == 4
    assert len(entries()) == 4


def test_the_pooling_that_was_chosen_is_remembered(tiny_model, read, monkeypatch):
    from clx.ml.model.head import pooling_choice

    rows = fruit_frame(30)
    first = compare(tiny_model, rows)
    monkeypatch.delattr(pooling_choice, "token_features")
    assert compare(tiny_model, rows).equals(first)
    assert read == [30]


@pytest.mark.parametrize("content", [b"", b"\x80\x04N.", b"half"], ids=["empty", "pickle", "cut"])
def test_a_damaged_entry_is_computed_again(tiny_model, read, content):
    rows = fruit_frame(24)
    first = compare(tiny_model, rows, pooling="mean")
    (entry,) = entries()
    entry.write_bytes(entry.read_bytes()[:-8] if content == b"half" else content)
    assert compare(tiny_model, rows, pooling="mean")[COLUMNS[:4]].equals(first[COLUMNS[:4]])
    assert read == [24, 24]
    assert compare(tiny_model, rows, pooling="mean") is not None
    assert read == [24, 24]


def test_a_flipped_bit_is_noticed(tmp_path):
    cache = TensorCache(tmp_path)
    cache.put("key", Entry(torch.ones(2, 3), {"seconds": "1"}))
    assert cache.get("key").about == {"seconds": "1"}
    path = tmp_path / "key.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert cache.get("key") is None


def test_a_cache_that_cannot_be_written_is_a_warning(tiny_model):
    cache_dir().parent.mkdir(parents=True, exist_ok=True)
    cache_dir().write_text("a file")
    with pytest.warns(ClxWarning, match="cannot be kept"):
        compare(tiny_model, fruit_frame(24), pooling="mean")


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    cache = TensorCache(tmp_path)
    cache.put("key", Entry(torch.ones(2, 3), {}))

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.warns(ClxWarning, match="No space left"):
        cache.put("key", Entry(torch.zeros(2, 3), {}))
    assert [path.name for path in tmp_path.iterdir()] == ["key.safetensors"]
    assert cache.get("key").tensor.equal(torch.ones(2, 3))


def test_the_longest_unused_entries_go_first(tmp_path):
    one = Entry(torch.ones(10, 10), {})
    TensorCache(tmp_path).put("size", one)
    size = (tmp_path / "size.safetensors").stat().st_size
    (tmp_path / "size.safetensors").unlink()
    cache = TensorCache(tmp_path, limit=2 * size)
    for age, key in ((10, "oldest"), (20, "unused")):
        cache.put(key, one)
        os.utime(tmp_path / f"{key}.safetensors", (age, age))
    assert cache.get("oldest") is not None  # used now
    cache.put("new", one)
    assert {path.stem for path in tmp_path.iterdir()} == {"oldest", "new"}
    cache.put("huge", Entry(torch.ones(100, 100), {}))
    assert {path.stem for path in tmp_path.iterdir()} == {"oldest", "new"}
