"""A user wrote into the model card of a run: a change of the run dropped it, or left what was wrong."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from clx.ml import training_run
from clx.ml.run_directory.layout import RunDir
from conftest import fruit_frame

GOLDEN = Path(__file__).parents[1] / "golden"
pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")

OWN = (
    "Written by hand, before everything.",
    "Made for the **orchard**.",
    "The rows are from 2024.",
    "## Who made it\n\nI did.\n\n\n```sh\n# no heading\n\n\necho\n```",
    ", even a tomato",
    "Labels by two people.",
    "- Never use it for mushrooms.",
    "But not in French.",
    "Ask before you use it.",
)


def edited(card):
    """Return a card with each text of OWN, a license, a language, and more tags."""
    tags = next(line for line in card.splitlines() if line.startswith("tags:"))
    own = iter(OWN)
    for old, new in (
        (tags, "language: en  # mostly\ntags:\n- clx\n- orchard\nlicense: mit"),
        ("\n# ", "\n{}\n\n# "),
        ("\n\nTrained on", "\n\n{}\n\nTrained on"),
        (" epochs).", " epochs). {}"),
        ("\n## Labels", "\n{}\n\n## Labels"),
        ('- "fruit"', '- "fruit"{}'),
        ("\n## Limits", "\n{}\n\n## Limits"),
        ("before you rely on it.", "before you rely on it.\n{}"),
        ("for any text.", "for any text. {}"),
    ):
        assert old in card
        text = new.format(next(own)) if "{}" in new else new
        card = card.replace(old, text, 1)
    return f"{card}\n{next(own)}\n"


def card_of(run):
    text = (run.run_dir / "model" / "README.md").read_text()
    _, metadata, body = text.split("---\n", 2)
    return yaml.safe_load(metadata), body


def assert_kept(run):
    metadata, body = card_of(run)
    assert [text for text in OWN if text not in body] == []
    assert [metadata[key] for key in ("license", "language")] == ["mit", "en"]
    assert metadata["tags"] == ["clx", "orchard"]
    assert all(body.count(text) == 1 for text in OWN)
    return metadata, body


@pytest.fixture(scope="module")
def _trained_once(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cards")
    run = training_run(
        "classification", "orchard", run_dir_parent=folder, base_model_name=tiny_model
    )
    run.train(fruit_frame(24).replace({"cow": "plant"}), fine_tune=False)
    return run.run_dir


@pytest.fixture
def run(_trained_once, tmp_path):
    """A run that was not evaluated, with an edited card."""
    folder = Path(shutil.copytree(_trained_once, tmp_path / "orchard"))
    card = folder / "model" / "README.md"
    card.write_text(edited(card.read_text()))
    return training_run(load=folder, verify=True)


def test_an_edited_card_is_no_damage(run):
    assert run.predict_labels(["apple"]) == ["fruit"]


def test_decisions_on_data(run):
    run.set_decisions(on=fruit_frame(12), min_score=0.4)
    metadata, body = assert_kept(run)
    assert "It was not evaluated" not in body
    assert "- The metrics hold for texts like those" in body
    assert "- Only clx applies the thresholds above" in body
    assert "Below a score of 0.4000" in body
    assert body.index("# orchard") < body.index("## Evaluation on 12 rows")
    assert body.index("## Evaluation on 12 rows") < body.index("## Labels (2)")
    assert metadata["model-index"][0]["results"][0]["dataset"]["name"].startswith("12 rows")
    # Without data, the metrics are still those of these rows.
    run.set_decisions(min_score=None)
    again, body = assert_kept(run)
    assert again["model-index"] == metadata["model-index"]
    assert "Below a score" not in body
    assert "Only clx applies" not in body


def test_new_names(run):
    run.set_decisions(min_score=0.4, on=fruit_frame(12))
    index = card_of(run)[0]["model-index"]
    run.rename_labels({"fruit": "Obst"})
    metadata, body = assert_kept(run)
    assert metadata["model-index"] == index
    assert '- "Obst", even a tomato' in body
    assert "| Obst |" in body
    assert '"fruit"' not in body


def test_merged_labels(with_three):
    run = with_three
    run.merge_labels({"living": ["plant", "animal"]}, three(), three(12))
    metadata, body = assert_kept(run)
    assert "## Labels (2)" in body
    assert '- "living"\n- "fruit", even a tomato' in body
    assert "## Evaluation on 12 rows" in body
    assert "It was not evaluated" not in body
    assert metadata["model-index"]


def three(rows=36):
    data = fruit_frame(rows)
    data.loc[data["text"].str.contains("lemon|melon|grape"), "label"] = "plant"
    return data


@pytest.fixture
def with_three(tiny_model, tmp_path):
    """A run with a third label and an edited card."""
    run = training_run(
        "classification", "three", run_dir_parent=tmp_path, base_model_name=tiny_model
    )
    run.train(three(), fine_tune=False)
    card = run.run_dir / "model" / "README.md"
    card.write_text(edited(card.read_text()))
    return run


def test_a_continued_run_has_a_card_of_its_own(run):
    result = run.continue_training(fruit_frame(8), fine_tune=False)
    card = (result.run_dir / "model" / "README.md").read_text()
    assert not any(text in card for text in OWN)
    assert "It continues the training of `orchard`" in card
    assert_kept(run)


def test_what_was_removed_stays_away_and_results_of_other_data_stay(run):
    path = run.run_dir / "model" / "README.md"
    metadata, body = card_of(run)
    body = body[: body.index("## Use")].replace("# orchard\n", "# My orchard\n")
    body = "\n".join(line for line in body.splitlines() if "rely on it" not in line)
    del metadata["library_name"]
    other = {"task": {"type": "text-classification"}, "metrics": [{"type": "f1", "value": 0.5}]}
    other["dataset"] = {"name": "Orchards", "type": "me/orchards"}
    metadata["model-index"] = [{"name": "orchard", "results": [other]}]
    path.write_text(f"---\n{yaml.safe_dump(metadata)}---\n{body}")
    run.set_decisions(min_score=0.4, on=fruit_frame(12))
    metadata, body = card_of(run)
    assert "library_name" not in metadata
    assert "# My orchard\n" in body
    assert "## Use" not in body
    assert "rely on it" not in body
    (index,) = metadata["model-index"]
    assert [each["dataset"]["type"] for each in index["results"]] == ["private", "me/orchards"]
    run.set_decisions(min_score=0.4, on=fruit_frame(8))
    (index,) = card_of(run)[0]["model-index"]
    names = [each["dataset"]["name"] for each in index["results"]]
    assert names == ["8 rows of the eval data", "Orchards"]


@pytest.mark.parametrize(
    "card", ["", "Only my words.\n", "---\nlicense: mit\n---\n# Mine\n", "---"]
)
def test_a_card_without_a_word_of_clx(run, card):
    path = run.run_dir / "model" / "README.md"
    path.write_text(card)
    run.set_decisions(min_score=0.4)
    assert path.read_text().split() == card.split()
    run.set_decisions(min_score=0.4, on=fruit_frame(8))
    assert "## Evaluation on 8 rows" in path.read_text()
    assert all(line in path.read_text() for line in card.splitlines() if line != "---")


def test_a_card_of_an_earlier_version(tmp_path):
    folder = Path(shutil.copytree(GOLDEN / "v1-classification" / "run", tmp_path / "golden"))
    path = folder / "model" / "README.md"
    text = (
        path.read_text().replace("## Labels", "Mine.\n\n## Labels").replace("Trained", "A\nTrained")
    )
    path.write_text(text.replace("tags: [clx]", "tags: [clx, mine]").replace("\n", "\r\n"))
    run = training_run(load=folder, verify=True)
    run.set_decisions(min_score=0.4, on=fruit_frame(8))
    metadata, body = card_of(run)
    assert metadata["tags"] == ["clx", "mine"]
    assert "Mine.\n\n## Labels (2)" in body
    assert body.count("| metric | value |") == 1
    assert "on 24 rows\n" not in body.replace("Trained on 24 rows", "")
    assert "Below a score of 0.4000" in body


def test_a_card_that_clx_wrote_is_known_as_a_whole(run):
    """Nothing that clx writes is taken for the text of a user."""
    from clx.ml.training.card_blocks import sections_of
    from clx.ml.training.card_changes import changed_card
    from clx.ml.training.card_metadata import divided
    from clx.ml.training.model_card import model_card

    config = dict(RunDir(run.run_dir).read_config()) | {"temperature": 1.25, "min_score": 0.5}
    config |= {"continued_from": {"run_name": "a"}, "label_names": [f"l\\{n}" for n in range(203)]}
    table = {"index": ["a"], "columns": ["f1"], "rows": [[0.5]]}
    splits = [{"share": 0.2, "seed": 1, "stratified": True}, {"share": 0.2, "time_column": "day's"}]
    splits.append({"share": 0.2, "seed": 1, "group_column": "who"})
    for split in splits:
        for kept in (1.5, "probe", None):
            results = dict(RunDir(run.run_dir).read_results()) | {"split": split, "steps": 5}
            results |= {"kept_model": kept, "kept": {"score": 0.5, "best_of_training": 1e-9}}
            results |= {"metrics": {"f1": 0.5, "f1_low": 0.4, "f1_high": 0.6}}
            results |= {"evaluation": {"tables": {"per_label": table}}}
            for changes in ({}, {"long_text": "window"}, {"label_names": None}):
                run.lora = kept == 1.5
                card = model_card(run, config | changes, results, "me/x", "mit")
                sections = sections_of(divided(card)[1])
                blocks = [block for section in sections for block in section.blocks]
                assert [block.text for block in blocks if block.kind is None] == []
                assert all(section.kind for section in sections if section.heading)
                assert changed_card(card, card, card) == card
    assert json.dumps("l\\1") in model_card(run, config, results)
