"""Hooks as a run calls them: the example plugin clx-journal, and plugins that do something wrong."""

import itertools
import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from cli_helpers import Cli, install, process
from clx.errors import ClxWarning, ConfigError, PluginError
from clx.ml import hookimpl, register_plugin, training_run, unregister_plugin
from clx.ml.plugins.calls import observed, report_sections
from clx.ml.report import Section
from conftest import fruit_frame

ROOT = Path(__file__).parents[2]
FAST = {"max_steps": 2, "disable_tqdm": True}


@pytest.fixture
def clx(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture
def journal(monkeypatch):
    """The example plugin, registered as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "clx-journal" / "src"))
    monkeypatch.setenv("CLX_SEED", "7")
    import clx_journal

    register_plugin(clx_journal, "journal")
    yield clx_journal
    unregister_plugin("journal")
    del sys.modules["clx_journal"]


@pytest.fixture
def plugin():
    """Return a function that registers objects for the time of a test."""
    registered = []

    def register(cls):
        registered.append(register_plugin(cls))

    yield register
    for cls in registered:
        unregister_plugin(cls)


def test_the_journal_takes_part_in_a_run(journal, tiny_model, clx, tmp_path):
    data = fruit_frame(12)
    options = {"base_model_name": tiny_model, "training_args": FAST}
    with pytest.raises(ConfigError, match="trained with eval data"):
        training_run("classification", "final-one", **options).train(data)
    run = training_run("classification", "fruit", **options)
    run.train(data, data)
    assert json.loads((run.run_dir / "environment.json").read_text())
    loaded = training_run(load="fruit")
    loaded.evaluate(data)
    loaded.predict(data["text"].tolist(), batch_size=5)
    loaded.predict_frame(data, batch_size=20)
    did = [(entry["run"], entry["did"], entry.get("rows")) for entry in journal.read_journal()]
    assert did == [
        ("fruit", "began", 12),
        ("fruit", "evaluated", 12),
        ("fruit", "trained", None),
        ("fruit", "evaluated", 12),
        *[("fruit", "predicted", rows) for rows in (5, 5, 2, 12)],
    ]
    assert set(journal.read_journal("fruit")[2]["metrics"]) >= {"loss", "accuracy"}
    (section,) = report_sections(loaded, None)
    assert section.title == "Earlier trainings"
    assert "accuracy" in section.table.columns
    assert clx("journal", "fruit").status == 0
    assert [line[1:] for line in clx.lines] == [list(map(str, (r, d, n or ""))) for r, d, n in did]
    assert [line[0] for line in clx("plugins").lines][-1] == "'journal'"
    found = json.loads(clx("plugins", "--json").out)
    assert len(found[-1]["hooks"]) == 7
    assert found[-1]["distribution"] is None


class Watch:
    seen = []

    @hookimpl
    def clx_after_prediction(self, texts, predictions):
        self.seen.append((list(texts), [max(p, key=p.get) for p in predictions]))


def test_predictions_of_a_batch_are_told_with_their_texts_in_order(trained, plugin):
    run = training_run(load=trained)
    texts = ["cat", "apple", "apple", "dog", "a cherry is small"]
    expected = [max(p, key=p.get) for p in run.predict(texts)]
    plugin(Watch)
    Watch.seen.clear()
    in_twos = run.predict(iter(texts), batch_size=2)
    assert in_twos == [pytest.approx(p, abs=1e-5) for p in run.predict(texts)]
    assert [text for batch, _ in Watch.seen[:3] for text in batch] == texts
    assert [name for _, names in Watch.seen[:3] for name in names] == expected
    assert [len(batch) for batch, _ in Watch.seen] == [2, 2, 1, 5]


def test_an_endless_stream_is_observed_batch_by_batch(plugin):
    plugin(Watch)
    Watch.seen.clear()

    def read_ahead(texts):
        texts = iter(texts)
        while window := list(itertools.islice(texts, 5)):
            yield from ({text: 1.0} for text in window)

    predictions = observed(None, (f"text {n}" for n in itertools.count()), 3, read_ahead)
    first_four = list(itertools.islice(predictions, 4))
    assert first_four == [{f"text {n}": 1.0} for n in range(4)]
    expected = [f"text {n}" for n in range(6)]
    assert Watch.seen == [(expected[:3], expected[:3]), (expected[3:], expected[3:])]


def test_arguments_of_plugins_give_way_to_the_users_and_to_earlier_plugins(plugin):
    from clx.ml.plugins.calls import proposed_arguments

    class Late:
        @hookimpl(trylast=True)
        def clx_training_arguments(self, rows, has_eval):
            return {"seed": 1, "weight_decay": 0.25, "max_steps": rows + has_eval}

    class Early:
        @hookimpl(tryfirst=True)
        def clx_training_arguments(self):
            return {"weight_decay": 0.5}

    plugin(Early)
    plugin(Late)
    run = training_run("classification", "x")
    chosen = proposed_arguments(run, {"seed": 9}, rows=3, has_eval=True)
    assert chosen == {"seed": 9, "weight_decay": 0.5, "max_steps": 4}


@pytest.mark.parametrize(
    ("proposed", "said"),
    [
        ({"sede": 1}, "no 'sede'; did you mean 'seed'"),
        ({"learning_rate": -1}, "learning_rate must not be negative"),
        ([1], "must return a dict from clx_training_arguments"),
    ],
)
def test_wrong_arguments_of_a_plugin_name_it_before_anything_is_trained(plugin, proposed, said):
    class Wrong:
        @hookimpl
        def clx_training_arguments(self):
            return proposed

        def __repr__(self):
            return "<Wrong>"

    plugin(Wrong)
    run = training_run("classification", "x", base_model_name="nobody/nothing")
    with pytest.raises(PluginError, match=said) as caught:
        run.train(fruit_frame(8))
    assert "<Wrong> of this process" in str(caught.value)
    assert not run.run_dir.exists() or not run.is_trained


def test_a_plugin_that_fails_after_the_training_costs_no_run(plugin, tiny_model):
    class Fails:
        @hookimpl
        def clx_after_training(self, run, result):
            raise OSError("no network")

    plugin(Fails)
    run = training_run("classification", "x", base_model_name=tiny_model, training_args=FAST)
    with pytest.raises(PluginError, match=r"no network.*whose run directory is complete"):
        run.train(fruit_frame(8))
    assert len(training_run(load="x").predict(["cat"])) == 1


def test_sections_that_are_none_are_refused(plugin):
    class Wrong:
        @hookimpl
        def clx_report_sections(self):
            return ["a text"]

    plugin(Wrong)
    with pytest.warns(ClxWarning, match="must return clx.ml.report.Section objects"):
        assert report_sections(training_run("classification", "x"), None) == []


def test_a_section_that_fails_costs_no_training_and_no_other_section(plugin, tiny_model):
    class Fails:
        @hookimpl(tryfirst=True)
        def clx_report_sections(self):
            raise OSError("no table")

    class Fine:
        @hookimpl
        def clx_report_sections(self, evaluation):
            return [Section("From a plugin", f"loss {'loss' in evaluation.metrics}")]

    plugin(Fails)
    plugin(Fine)
    run = training_run("classification", "x", base_model_name=tiny_model, training_args=FAST)
    data = fruit_frame(8)
    with pytest.warns(ClxWarning, match="raised OSError in clx_report_sections: no table"):
        run.train(data, data)
    page = (run.run_dir / "report.html").read_text()
    assert "From a plugin" in page
    assert "loss True" in page


# ---- Commands ----------------------------------------------------------------------------------------

TWO = """
from clx.ml import hookimpl

def greet(name: str = "you", loud: bool = False):
    \"\"\"Say hello.\"\"\"
    print("HELLO" if loud else "hello", name)

@hookimpl
def clx_commands():
    return [greet]
"""


def test_commands_of_an_installed_plugin(tmp_path):
    install(tmp_path, "greeter", "[clx.plugins]\ngreeter = greeter\n", greeter=TWO)
    done = process("greet", "--name", "Ada", "--loud", folders=[tmp_path])
    assert (done.returncode, done.stdout) == (0, "HELLO Ada\n"), done.stderr
    assert "Say hello" in process("greet", "--help", folders=[tmp_path]).stdout
    assert process("greet", folders=[tmp_path], env={"PATH": "", "CLX_PLUGINS": ""}).returncode == 2


def test_a_command_that_is_taken_names_both(clx, plugin):
    def show():
        """Taken by clx."""

    class Wants:
        @hookimpl
        def clx_commands(self):
            return [show]

    plugin(Wants)
    assert clx("unheard-of").status == 2
    assert "'show'" in clx.err
    assert "clx itself" in clx.err
    assert clx("tasks").status == 0


def test_a_plugin_that_fails_is_listed_with_its_cause(tmp_path):
    install(tmp_path, "bad-hooks", "[clx.plugins]\nbad = bad_hooks\n", bad_hooks="1 / 0")
    done = process("plugins", folders=[tmp_path])
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1].split("\t")
    assert last[:2] == ["bad", "bad-hooks 1.0"]
    assert last[3].startswith("failed: ZeroDivisionError")
    assert done.stderr == ""


def test_help_imports_no_plugin(tmp_path):
    source = "raise SystemExit('imported')"
    install(tmp_path, "bad-hooks", "[clx.plugins]\nbad = bad_hooks\n", bad_hooks=source)
    done = process("--help", folders=[tmp_path])
    assert done.returncode == 0
    assert "imported" not in done.stdout + done.stderr


def test_frames_are_handed_over_validated(plugin, tiny_model):
    seen = []

    class Looks:
        @hookimpl
        def clx_before_training(self, train_data, eval_data):
            seen.append((type(train_data), eval_data))
            raise ConfigError("stop")

    plugin(Looks)
    run = training_run("classification", "x", base_model_name=tiny_model)
    with pytest.raises(ConfigError, match=r"^stop$"):
        run.train(fruit_frame(8))
    assert seen == [(pd.DataFrame, None)]
