"""A user trained on the default base model and learned later that another one was better: measure it."""

import shutil

import pandas as pd
import pytest

from clx.ml import training_run
from clx.ml.model.base_models import resolve_base_model
from clx.ml.model.embedded_model import embedded_folder
from clx.ml.task.options import DEFAULT_BASE_MODEL

WORDS = {
    "fruit": "apple pear plum fig cherry grape melon peach mango banana lemon orange",
    "animal": "cat dog cow hen goat sheep horse lion tiger wolf bear rabbit",
    "vehicle": "car bus train tram bicycle truck ship boat plane helicopter motorcycle van",
    "tool": "hammer saw drill screwdriver wrench pliers axe shovel chisel rake scissors knife",
}
ROWS = pd.DataFrame(
    [(word, label) for label, words in WORDS.items() for word in words.split()],
    columns=["text", "label"],
)


def copy_with(whole, folder, **sizes):
    """Write MiniLM with fewer layers, or random weights of other sizes, and MiniLM's tokenizer."""
    from transformers import AutoConfig, AutoModel

    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    config = AutoConfig.from_pretrained(whole, **sizes)
    cut = set(sizes) == {"num_hidden_layers"}
    model = (
        AutoModel.from_pretrained(whole, config=config) if cut else AutoModel.from_config(config)
    )
    model.save_pretrained(folder)
    return folder


@pytest.mark.skipif(embedded_folder() is None, reason="needs the package of the default model")
@pytest.mark.filterwarnings("ignore")
def test_trained_bases_come_before_a_random_one(tmp_path):
    whole = resolve_base_model(DEFAULT_BASE_MODEL)
    cut = copy_with(whole, tmp_path / "cut", num_hidden_layers=3)
    sizes = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    random = copy_with(whole, tmp_path / "random", num_hidden_layers=2, **sizes)
    run = training_run("classification", "words", training_args={"disable_tqdm": True})
    frame = run.compare_bases(ROWS, bases=[random, cut, DEFAULT_BASE_MODEL])
    # Of single words, three layers may know as much as six.
    assert set(frame["base"][:2]) == {DEFAULT_BASE_MODEL, str(cut)}
    assert frame["accuracy"][1] > frame["accuracy"][2] + 0.2
    parameters = frame.set_index("base")["parameters"]
    # The layers that were cut off have 1,774,464 parameters each.
    assert parameters[DEFAULT_BASE_MODEL] - parameters[str(cut)] == 3 * 1_774_464
    assert frame.attrs["recommended"] != str(random)
