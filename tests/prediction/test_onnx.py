"""Export to ONNX: equal answers, no torch, clear errors, a run that stays whole."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from transformers import TextClassificationPipeline

from architectures import Subject
from cli_helpers import Cli
from clx.errors import (
    ClxWarning,
    ConfigError,
    ExportError,
    MissingDependencyError,
    NotTrainedError,
    RunBusyError,
    RunDirError,
)
from clx.ml import TrainingRun, training_run
from clx.ml.prediction import onnx_export as exporting
from clx.ml.run_directory.layout import MANIFEST, RunDir
from clx.ml.run_directory.staging import added_folder
from conftest import fruit_frame, mixed_texts
from zoo import FUNNEL, Architecture

pytest.importorskip("onnxruntime")
TEXTS = mixed_texts(60)
SHORT = [text for text in TEXTS if len(text.split()) < 60]


@pytest.fixture(scope="session")
def first_export(_trained_once, tmp_path_factory):
    folder = Path(shutil.copytree(_trained_once, tmp_path_factory.mktemp("onnx") / "trained"))
    report = training_run(load=folder).export("onnx", texts=TEXTS)
    return folder, report


@pytest.fixture
def exported(first_export, tmp_path):
    return Path(shutil.copytree(first_export[0], tmp_path / "exported"))


def test_the_report_says_how_equal_the_answers_are(first_export):
    folder, report = first_export
    assert report.texts == len(TEXTS)
    assert report.checks["onnx"].largest_difference < 1e-5
    assert report.checks["onnx"].equal_decisions == 1
    int8 = report.checks["onnx-int8"]
    assert 1e-5 < int8.largest_difference < 0.2
    assert int8.equal_decisions >= 0.95
    assert int8.equal_decisions == max(report.tried.values())
    assert 0 < int8.megabytes < report.checks["onnx"].megabytes
    assert json.loads((folder / "onnx" / "report.json").read_text()) == report.to_dict()


@pytest.mark.parametrize(
    "arguments",
    [{}, {"top_k": 1}, {"top_k": None, "function_to_apply": "sigmoid"}],
    ids=str,
)
@pytest.mark.parametrize("batch_size", [None, 3])
def test_onnx_answers_as_torch_does(exported, arguments, batch_size):
    run = training_run(load=exported)
    expected = run.predict(SHORT, **arguments)
    predicted = run.predict(SHORT, batch_size=batch_size, backend="onnx", **arguments)
    assert predicted == [pytest.approx(scores, abs=1e-5) for scores in expected]


def test_every_way_of_predicting_takes_a_backend(exported, tmp_path):
    run = training_run(load=exported)
    frame = fruit_frame(12)
    labels = run.predict_labels(frame["text"])
    assert run.predict_labels(frame["text"], backend="onnx") == labels
    assert list(run.predict_frame(frame, backend="onnx")["label"]) == labels
    assert list(run.predict_iter(frame["text"], backend="onnx-int8"))
    frame.to_csv(tmp_path / "in.csv", index=False)
    run.predict_file(tmp_path / "in.csv", tmp_path / "a.csv")
    run.predict_file(tmp_path / "in.csv", tmp_path / "b.csv", backend="onnx-int8")
    assert len((tmp_path / "b.csv").read_text().splitlines()) == 13
    assert (tmp_path / "a.csv").read_text() != (tmp_path / "b.csv").read_text()


def test_long_texts_are_cut_and_counted(exported):
    run = training_run(load=exported)
    with pytest.warns(ClxWarning, match="1 of 2 texts in the input are longer than 64 tokens"):
        long, _ = run.predict(["cat " * 100, "dog"], backend="onnx")
    with pytest.warns(ClxWarning, match="longer than 64"):
        assert long == pytest.approx(run.predict("cat " * 200)[0], abs=1e-5)


def test_onnx_needs_neither_torch_nor_transformers(exported):
    code = f"""
import sys
from clx.ml import training_run
run = training_run(load={str(exported)!r})
print(run.predict_labels(["the apple is red", "cat"], backend="onnx"))
heavy = ["torch", "transformers", "datasets", "pandas", "sklearn", "huggingface_hub"]
print([name for name in heavy if name in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines() == ["['fruit', 'animal']", "[]"]


@pytest.mark.parametrize("chosen", [None, "true"])
def test_onnx_runtime_reports_to_nobody(exported, tmp_path, chosen):
    """Its events go out of a cache in the home and temporary folders, which is not even made."""
    code = f"""
from clx.ml import training_run
training_run(load={str(exported)!r}).predict("cat", backend="onnx")
import os; print(os.environ["ORT_DISABLE_TELEMETRY"])
"""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    environment = os.environ | {"HOME": str(home), "TMPDIR": str(temporary)}
    del environment["ORT_DISABLE_TELEMETRY"]
    if chosen:
        environment["ORT_DISABLE_TELEMETRY"] = chosen
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert out.stdout.split() == [chosen or "1"]
    assert [*home.iterdir(), *temporary.iterdir()] == []


def test_eight_bits_are_made_in_the_run_and_not_in_the_systems_folder(trained, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    report = training_run(load=trained).export("onnx", texts=["cat"])
    assert sorted(path.name for path in report.folder.iterdir()) == [
        "model.int8.onnx",
        "model.onnx",
        "report.json",
        "settings.json",
        "tokenizer.json",
    ]


def test_tokenize_args_are_part_of_the_export(tiny_model, fruit):
    run = training_run(
        "classification",
        "short",
        base_model_name=tiny_model,
        tokenize_args={"max_length": 4},
        training_args={"max_steps": 1, "disable_tqdm": True},
    )
    with pytest.warns(ClxWarning):
        run.train(fruit)
    run.export("onnx", texts=["cat"], int8=False)
    with pytest.warns(ClxWarning, match="longer than 4 tokens"):
        one, other = run.predict(["the apple is red", "the apple eats a dog"], backend="onnx")
    assert one == pytest.approx(other)
    assert not (run.run_dir / "onnx" / "model.int8.onnx").exists()
    with pytest.raises(NotTrainedError, match=r"not exported for backend='onnx-int8'.*clx export"):
        run.predict("cat", backend="onnx-int8")


def test_multi_label_thresholds_decide_the_same(tiny_model):
    frame = fruit_frame(40)
    frame["labels"] = [
        [label] + ["big"] * ("big" in text)
        for label, text in zip(frame["label"], frame["text"], strict=True)
    ]
    run = training_run(
        "multilabel",
        "many",
        base_model_name=tiny_model,
        training_args={"num_train_epochs": 10, "learning_rate": 5e-3, "disable_tqdm": True},
    )
    data = frame[["text", "labels"]]
    with pytest.warns(ClxWarning):
        run.train(data, data.iloc[:20])
    with pytest.warns(ClxWarning, match="was trained on about 100% of the texts"):
        report = run.export("onnx", texts=frame["text"])
    assert report.checks["onnx"].equal_decisions == report.learned == 1
    chosen = run.predict_labels(frame["text"])
    assert run.predict_labels(frame["text"], backend="onnx") == chosen
    assert any(len(labels) == 2 for labels in chosen)


# ---- The run directory ---------------------------------------------------------------------------


def test_an_export_belongs_to_the_run(exported):
    training_run(load=exported, verify=True)
    assert "onnx/model.onnx" in RunDir(exported).listed_files()
    (exported / "onnx" / "model.onnx").write_bytes(b"x")
    with pytest.raises(RunDirError, match=r"onnx/model\.onnx"):
        training_run(load=exported)


def test_training_again_removes_the_export(exported, fruit):
    run = training_run(load=exported)
    run.training_args["max_steps"] = 1
    run.train(fruit, overwrite=True)
    assert not (exported / "onnx").exists()
    with pytest.raises(NotTrainedError, match="not exported"):
        run.predict("cat", backend="onnx")


def test_an_open_run_is_still_the_one_that_it_was_after_an_export(trained):
    opened = training_run(load=trained)
    training_run(load=trained).export("onnx", texts=["cat"], int8=False)
    assert opened.predict("cat", backend="onnx") == [pytest.approx(opened.predict("cat")[0])]


@pytest.mark.parametrize("step", ["_to_disk", "_list_files", "shutil", "fsync"])
def test_an_export_that_breaks_off_leaves_a_whole_run(exported, step, monkeypatch):
    from clx.ml.run_directory import staging as module

    directory = RunDir(exported)
    original, calls = getattr(module, step), []

    def breaking(*args, **kwargs):
        calls.append(args)
        raise KeyboardInterrupt

    if step == "shutil":
        monkeypatch.setattr(Path, "rename", breaking)
    else:
        monkeypatch.setattr(module, step, breaking)
    with pytest.raises(KeyboardInterrupt), added_folder(directory, "onnx") as folder:
        (folder / "model.onnx").write_text("new")
    assert calls
    monkeypatch.undo()
    assert original is getattr(module, step)
    directory.check(hashes=True)
    run = training_run(load=exported, verify=True)
    assert run.predict("cat")
    assert not list(exported.parent.glob(".exported.onnx*"))
    run.export("onnx", texts=["cat"], int8=False)
    assert run.predict("cat", backend="onnx")


def test_files_that_no_manifest_lists_are_not_used(exported):
    manifest = json.loads((exported / MANIFEST).read_text())
    manifest["files"] = {k: v for k, v in manifest["files"].items() if not k.startswith("onnx/")}
    (exported / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(NotTrainedError, match="not exported"):
        training_run(load=exported).predict("cat", backend="onnx")


def test_a_run_in_training_is_not_exported(trained):
    from filelock import FileLock

    with FileLock(RunDir(trained).lock), pytest.raises(RunBusyError):
        training_run(load=trained).export("onnx", texts=["cat"])


# ---- What cannot be exported ---------------------------------------------------------------------


def test_errors_say_what_to_do(trained, exported, monkeypatch):
    run = training_run(load=trained)
    with pytest.raises(ConfigError, match=r"backend must be one of torch, onnx.*did you mean"):
        run.predict("cat", backend="onx")
    with pytest.raises(NotTrainedError, match=r"run\.export"):
        run.predict("cat", backend="onnx")
    with pytest.raises(ConfigError, match="'onnx', not as 'openvino'"):
        run.export("openvino")
    with pytest.raises(ConfigError, match="at least one text"):
        run.export("onnx", texts=[])
    other = training_run(load=exported)
    with pytest.raises(ConfigError, match="but not max_length"):
        other.predict("cat", backend="onnx", max_length=3)
    with pytest.raises(ConfigError, match="function_to_apply must be"):
        other.predict("cat", backend="onnx", function_to_apply="relu")
    with pytest.raises(ConfigError, match="cuda"):
        training_run(load=exported, device="cuda").predict("cat", backend="onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clx-core\[onnx\]'"):
        training_run(load=exported).predict("cat", backend="onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clx-core\[onnx\]'"):
        run.export("onnx", texts=["cat"])
    assert not (trained / "onnx").exists()
    RunDir(trained).check(hashes=True)


def test_a_pipeline_of_a_tasks_own_is_not_exported(trained, monkeypatch):
    class Own(TextClassificationPipeline):
        pass

    run = training_run(load=trained)
    own = Own(model=run.model, tokenizer=run.pipe.tokenizer)
    monkeypatch.setattr(type(run), "pipe", own)
    with pytest.raises(ExportError, match="its pipeline is Own"):
        run.export("onnx", texts=["cat"])


def test_a_model_that_answers_otherwise_is_refused(trained, monkeypatch):
    from clx.ml.prediction import onnx_files

    original = onnx_files.write_onnx

    def wrong(model, inputs, path, outputs):
        import copy

        changed = copy.deepcopy(model)
        changed.classifier.bias.data += 1 + changed.classifier.bias.data.new_tensor([0.0, 1.0])
        original(changed, inputs, path, outputs)

    monkeypatch.setattr(onnx_files, "write_onnx", wrong)
    run = training_run(load=trained)
    with pytest.raises(ExportError, match="answers differently"):
        run.export("onnx", texts=TEXTS)
    assert not (trained / "onnx").exists()
    assert run.predict("cat")


def test_an_export_leaves_the_model_as_it_was(trained):
    run = training_run(load=trained)
    before = run.predict(SHORT)
    run.export("onnx", texts=["cat"], int8=False)
    assert not run.model.training
    assert run.predict(SHORT) == before


def test_without_texts_sentences_of_the_documentation_are_compared(trained):
    run = training_run(load=trained)
    with pytest.warns(ClxWarning, match="pass texts="):
        report = run.export("onnx", int8=False)
    assert report.texts == 300
    assert not report.own_texts


def test_the_finest_quantisation_is_tried_when_none_agrees(trained, monkeypatch):
    monkeypatch.setattr(exporting, "SAME_DECISIONS", 1.1)
    report = training_run(load=trained).export("onnx", texts=TEXTS)
    assert len(report.tried) == 4
    assert report.checks["onnx-int8"].equal_decisions == max(report.tried.values())


def test_the_command_exports_and_predicts(trained, tmp_path, capsys, monkeypatch):
    clx = Cli(capsys, monkeypatch)
    fruit_frame(12).to_csv(tmp_path / "texts.csv", index=False)
    assert clx("export", trained, "--data", tmp_path / "texts.csv").status == 0
    assert [line[0] for line in clx.lines] == ["backend", "onnx", "onnx-int8"]
    assert float(clx.lines[1][1]) == 1
    assert clx("predict", trained, "cat", "--backend", "onnx").lines[1][1] == "animal"
    exported = json.loads(clx("export", trained, "--no-int8", "--json").out)
    assert list(exported["checks"]) == ["onnx"]
    assert clx("predict", trained, "cat", "--backend", "onnx-int8").status != 0


def test_pairs_of_texts_are_exported_too(tiny_model):
    from transformers import AutoModelForSequenceClassification

    class PairRun(TrainingRun):
        name = "pairs"
        text_columns = ["one", "other"]
        pipeline_args = {"task": "text-classification"}
        predict_args = {"top_k": None}

        def validate_data_format(self, data):
            pass

        def load_model(self, model_name=None):
            return AutoModelForSequenceClassification.from_pretrained(model_name, num_labels=2)

        def tokenize(self, examples):
            rows = self.tokenizer(examples["one"], examples["other"], truncation=True)
            return {**rows, "labels": examples["label"]}

    frame = fruit_frame(20)
    data = {"one": frame["text"], "other": frame["text"][::-1].to_numpy(), "label": [0, 1] * 10}
    run = PairRun("pairs", base_model_name=tiny_model, training_args={"max_steps": 1})
    run.train(pd.DataFrame(data))
    pairs = list(zip(data["one"], data["other"], strict=True))
    assert run.export("onnx", texts=pairs[:9]).checks["onnx"].equal_decisions == 1
    expected = run.predict(pairs)
    for ours, theirs in zip(run.predict(pairs, backend="onnx"), expected, strict=True):
        assert [e["label"] for e in ours] == [e["label"] for e in theirs]
        assert ours[0]["score"] == pytest.approx(theirs[0]["score"], abs=1e-5)
    with pytest.warns(ClxWarning, match="pass texts="):
        assert run.export("onnx", int8=False).texts == 300


def test_a_file_that_onnx_runtime_cannot_run_is_an_export_error(tmp_path):
    # Funnel's tracing keeps the number of tokens of the example.
    subject = Subject(Architecture("funnel", "wordpiece", FUNNEL, reads_empty=False), tmp_path)
    run = subject.trained()
    with pytest.raises(ExportError, match="fails in ONNX Runtime"):
        run.export("onnx", texts=subject.texts, int8=False)
    assert not (run.run_dir / "onnx").exists()
