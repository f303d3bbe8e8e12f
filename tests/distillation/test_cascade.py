"""A cascade on real runs: the student answers where it decides like the run."""

import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cli_helpers import Cli
from clx.batch import Predictor
from clx.errors import (
    CascadeError,
    CascadeWarning,
    ClxWarning,
    ConfigError,
    NotTrainedError,
    RunDirError,
)
from clx.ml import training_run
from clx.ml.distillation import cascade, cascade_arguments
from clx.ml.distillation import cascade_files as files
from clx.ml.distillation.learned import write_learned
from clx.ml.distillation.setting_aside import text_hashes
from clx.ml.run_directory.layout import RunDir
from conftest import ANIMALS, FRUIT, fruit_frame
from students import make_student


def word_texts(count, seed=0):
    """Different texts about fruit and animals, some of them about both."""
    generator, texts = random.Random(seed), {}
    while len(texts) < count:
        own, other = generator.sample([FRUIT, ANIMALS], 2)
        mixed = generator.random() < 0.4
        words = [
            generator.choice(other if mixed and generator.random() < 0.5 else own)
            for _ in range(generator.randint(2, 8))
        ]
        texts[" ".join(["the", *words])] = None
    return list(texts)


TEXTS = word_texts(320)
NEW = word_texts(60, seed=1)


def student_of(teacher, learned=(), **arguments) -> Path:
    """Write a static student beside a run, and return its directory."""
    place = make_student(teacher, **arguments)
    write_learned(place / "extra", text_hashes(learned))
    return place


def edited(place, **changes) -> Path:
    """Change entries of a student's config, and seal it again."""
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | changes))
    manifest = json.loads((place / "manifest.json").read_text())
    for name in ("config.json", "results.json"):
        del manifest["files"][name]
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture(scope="module")
def cascaded_once(_trained_once, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cascade")
    shutil.copytree(_trained_once, folder / "trained")
    student = student_of(folder / "trained")
    run = training_run(load=folder / "trained")
    result = run.with_fast(student, 0.95, TEXTS, monitor=0.0)
    return folder, result


@pytest.fixture
def cascaded(cascaded_once, tmp_path):
    """A run with a student, and the student's run beside it."""
    folder = shutil.copytree(cascaded_once[0], tmp_path / "cascade")
    return training_run(load=folder / "trained")


def test_the_result(cascaded_once):
    folder, result = cascaded_once
    assert 0.05 < result.share < 1
    assert result.bound >= 0.95
    assert result.agreement >= result.bound > result.min_agreement - 1e-9
    assert result.texts["chosen_on"] + result.texts["measured_on"] == len(TEXTS)
    assert set(result.speeds) == {"torch", "student", "teacher", "cascade"}
    assert set(result.margins) == {"animal", "fruit"}
    assert result.accuracy == {}
    assert result.curve["share"].is_monotonic_increasing
    assert result.curve["chosen"].sum() == 1
    assert "answers" in str(result)
    assert "Texts per second" in result._repr_html_()
    results = json.loads((folder / "trained" / "results.json").read_text())
    assert results["cascade"]["share"] == result.share
    assert results["cascade"] == json.loads(json.dumps(result.to_dict()))


def test_who_answers(cascaded, monkeypatch):
    rows = cascaded.predict_frame(NEW, backend="cascade", all_scores=True)
    who = rows["answered_by"]
    assert set(who) == {"student", "teacher"}
    student = training_run(load=cascaded.run_dir.parent / "student")
    for name, run in (("student", student), ("teacher", cascaded)):
        own = run.predict_frame(NEW, all_scores=True)
        columns = ["score_animal", "score_fruit", "label"]
        pd.testing.assert_frame_equal(rows[who == name][columns], own[who == name][columns])
    scores = cascaded.predict(NEW, backend="cascade")
    assert [each["fruit"] for each in scores] == pytest.approx(list(rows["score_fruit"]))
    assert cascaded.predict_labels(NEW, backend="cascade") == list(rows["label"])
    assert list(cascaded.predict_iter(iter(NEW), backend="cascade")) == scores
    assert "answered_by" not in cascaded.predict_frame(NEW[:2])
    # Where Python code of a task or plugin takes part, there are no arrays.
    monkeypatch.setattr("clx.ml.run.predicting.array_rule", lambda _: None)
    pd.testing.assert_frame_equal(
        cascaded.predict_frame(NEW, backend="cascade", all_scores=True), rows
    )


def test_every_door(cascaded, tmp_path):
    rows = cascaded.predict_frame(NEW, backend="cascade")
    frame = pd.DataFrame({"text": NEW})
    frame.to_csv(tmp_path / "in.csv", index=False)
    cascaded.predict_file(tmp_path / "in.csv", tmp_path / "out.parquet", backend="cascade")
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert list(found["answered_by"]) == list(rows["answered_by"])
    predictor = pickle.loads(pickle.dumps(Predictor(cascaded, backend="cascade")))
    assert list(predictor(frame)["answered_by"]) == list(rows["answered_by"])
    assert predictor.schema()[-2].name == "answered_by"
    skipped = predictor(pd.DataFrame({"text": [None, NEW[0]]}))
    assert skipped["answered_by"].isna().tolist() == [True, False]
    assert len(cascaded.predict_frame([], backend="cascade").columns) == len(rows.columns)
    from clx.cli.serving import SavedSource
    from clx_runtime.server.served import Needs

    served = SavedSource(str(cascaded.run_dir), "cascade", None, None).open()
    assert served.facts.backend == "cascade"
    computed = served.compute(NEW, Needs(prediction=True))
    assert computed.predictions == cascaded.predict(NEW, backend="cascade")


def test_a_copy_keeps_its_cascade_and_a_training_removes_it(cascaded, tmp_path):
    copy = shutil.copytree(cascaded.run_dir, tmp_path / "elsewhere")
    moved = training_run(load=copy, verify=True)
    assert moved.predict(NEW, backend="cascade") == cascaded.predict(NEW, backend="cascade")
    assert any(name.startswith("fast/model/") for name in RunDir(copy).listed_files())
    (copy / "fast" / "model" / "model.safetensors").write_bytes(b"other")
    with pytest.raises(RunDirError, match=r"fast/model/model\.safetensors"):
        training_run(load=copy).predict(NEW, backend="cascade")
    cascaded.train(fruit_frame(), overwrite=True, fine_tune=False)
    assert not (cascaded.run_dir / "fast").exists()
    assert "cascade" not in cascaded.results
    with pytest.raises(NotTrainedError, match="has no student that answers first"):
        cascaded.predict(NEW, backend="cascade")


def test_new_names_are_carried_and_new_decisions_remove_it(cascaded):
    before = cascaded.predict_frame(NEW, backend="cascade")
    cascaded.rename_labels({"fruit": "plant"})
    again = training_run(load=cascaded.run_dir, verify=True)
    after = again.predict_frame(NEW, backend="cascade")
    assert list(after["answered_by"]) == list(before["answered_by"])
    assert list(after["label"]) == [name.replace("fruit", "plant") for name in before["label"]]
    assert set(again.results["cascade"]["margins"]) == {"animal", "plant"}
    again.set_decisions(min_score=None)
    assert again.predict_labels(NEW, backend="cascade") == list(after["label"])
    with pytest.warns(ClxWarning, match="was removed from 'trained'.*with_fast again"):
        again.set_decisions(min_score=0.9)
    assert not (again.run_dir / "fast").exists()
    assert "cascade" not in again.results


def test_the_same_student_again(cascaded):
    student = cascaded.run_dir.parent / "student"
    first = cascaded.results["cascade"]["share"]
    cascaded.set_decisions(min_score=None)
    result = training_run(load=cascaded.run_dir).with_fast("student", 0.85, TEXTS)
    assert result.share >= first
    edited(student, student_of={"run_name": "x", "identity": "other", "kind": "static"})
    with pytest.raises(ConfigError, match="is a student of 'x' as it was then"):
        training_run(load=cascaded.run_dir).with_fast(student, 0.85, TEXTS)


def test_merged_labels_remove_it(cascaded):
    config = {**cascaded.config}
    assert config["label_names"] == ["animal", "fruit"]
    from clx.ml.editing.fast import without_cascade

    results = without_cascade(RunDir(cascaded.run_dir), {"cascade": {}, "steps": 1})
    assert results == {"steps": 1}
    assert not (cascaded.run_dir / "fast").exists()


# ---- Refusals ----------------------------------------------------------------------------------------


def unchanged(run, call):
    """Call something that must raise, and check that nothing of the run changed."""
    before = RunDir(run.run_dir).manifest()
    with pytest.raises(BaseException) as raised:  # noqa: PT011
        call()
    assert RunDir(run.run_dir).manifest() == before
    assert not (run.run_dir / "fast").exists()
    assert training_run(load=run.run_dir, verify=True).predict_labels(["the cat"]) == ["animal"]
    return raised


def test_too_few_texts_and_texts_that_were_learned(trained):
    run = training_run(load=trained)
    student = student_of(trained, learned=TEXTS[:280])
    raised = unchanged(run, lambda: run.with_fast(student, 0.9, TEXTS))
    assert raised.type is CascadeError
    assert "at least 29 texts in each half" in str(raised.value)
    assert "280 that the student has or may have learned" in str(raised.value)
    shutil.rmtree(student / "extra")
    # Without hashes, only the texts that are always set aside are safe.
    raised = unchanged(run, lambda: run.with_fast(student, 0.9, TEXTS))
    assert raised.type is CascadeError
    raised = unchanged(run, lambda: run.with_fast(student, 0.9, TEXTS[:1] * 500))
    assert "at least 29" in str(raised.value)


def test_torch_answers_where_the_chosen_export_decides_like_it_too_rarely(trained, monkeypatch):
    run = training_run(load=trained)
    run.export("onnx", texts=NEW)
    # The check of the export was luckier than the texts of the cascade are.
    monkeypatch.setattr(cascade_arguments, "_fastest", lambda directory: "onnx")
    measured = cascade.answers

    def sometimes_wrong(model, texts, what):
        found = measured(model, texts, what)
        if what == "onnx":
            found.logits[::10] = found.logits[::10, ::-1]
        return found

    monkeypatch.setattr(cascade, "answers", sometimes_wrong)
    student = student_of(trained)
    raised = unchanged(run, lambda: run.with_fast(student, 0.95, TEXTS, teacher="onnx"))
    assert "The teacher's own backend agrees with torch on" in str(raised.value)
    result = run.with_fast(student, 0.95, TEXTS)
    assert result.teacher == "torch"
    assert result.teacher_agreement == 1
    assert result.speeds["teacher"] == result.speeds["torch"]
    assert len(run.predict(NEW, backend="cascade")) == len(NEW)


def test_texts_of_another_domain(trained):
    run = training_run(load=trained)
    student = edited(student_of(trained))
    results = {"distilled": {"agreement": {"equal": 0.999}}}
    (student / "results.json").write_text(json.dumps(results))
    generator = random.Random(3)
    words = "is eats red green big small and one two three four five a an".split()
    other = list({" ".join(generator.choices([*words, "cat", "apple"], k=8)) for _ in range(300)})
    raised = unchanged(run, lambda: run.with_fast(student, 0.9, other))
    assert raised.type is CascadeError
    assert "another domain" in str(raised.value) or "No margin" in str(raised.value)
    assert "The run is unchanged" in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student_of": None}, "is not the student of a run"),
        ({"label_names": ["fruit", "animal"]}, "other labels, or the same in another order"),
        ({"student_of": {"run_name": "q", "identity": "0"}}, "student of 'q' as it was then"),
        ({"task": "multi-label-classification"}, "Only runs of the same task can be students"),
    ],
)
def test_students_of_others(trained, changes, message):
    run = training_run(load=trained)
    student = edited(student_of(trained), **changes)
    raised = unchanged(run, lambda: run.with_fast("student", 0.9, TEXTS))
    assert issubclass(raised.type, ConfigError)
    assert message in str(raised.value)
    assert student.is_dir()


def test_arguments(trained, cascaded):
    run = training_run(load=trained)
    for arguments, message in [
        (("student", 1.0, TEXTS), "min_agreement must be a number between 0 and 1"),
        (("student", 0.9, None), "data is needed"),
        (("student", 0.9, TEXTS, "onnix"), "teacher must be one of"),
        ((3, 0.9, TEXTS), "needs a run, its name or its directory"),
    ]:
        raised = unchanged(run, lambda given=arguments: run.with_fast(*given))
        assert raised.type is ConfigError
        assert message in str(raised.value)
    assert (
        unchanged(run, lambda: run.with_fast("student", 0.9, TEXTS, "onnx")).type is NotTrainedError
    )
    for call in (
        lambda: cascaded.predict_labels(NEW, min_score=0.5, backend="cascade"),
        lambda: cascaded.predict_frame(NEW, min_score=0.5, backend="cascade"),
        lambda: Predictor(cascaded, min_score=0.5, backend="cascade"),
    ):
        with pytest.raises(ConfigError, match="min_score does not go with backend='cascade'"):
            call()
    cascaded.predict(NEW[:2], backend="cascade")
    cascaded.min_score = 0.7
    with pytest.raises(ConfigError, match="decisions of 'trained' were changed"):
        cascaded.predict(NEW, backend="cascade")


def test_an_interrupted_call_leaves_the_run(trained, monkeypatch):
    run, student = training_run(load=trained), student_of(trained)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "run_report", interrupted)
    assert unchanged(run, lambda: run.with_fast(student, 0.9, TEXTS)).type is KeyboardInterrupt
    monkeypatch.undo()
    child = os.fork()
    if not child:
        # A process that is killed when the student lies in the staged copy.
        try:
            files.run_report = lambda *_, **__: os._exit(7)
            run.with_fast(student, 0.9, TEXTS)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert (trained.parent / ".trained.staging" / "fast" / "model").is_dir()
    with pytest.raises(NotTrainedError):
        run.predict(NEW, backend="cascade")
    assert run.with_fast("student", 0.9, TEXTS).share > 0


# ---- More --------------------------------------------------------------------------------------------


def test_labels_give_accuracies_and_the_report_shows_the_curve(trained):
    run, student = training_run(load=trained), student_of(trained)
    frame = pd.DataFrame({"text": TEXTS})
    frame["label"] = run.predict_labels(TEXTS)
    result = run.with_fast(student, 0.9, frame)
    assert result.accuracy["torch"] == 1.0 == result.accuracy["teacher"]
    assert result.accuracy["student"] == pytest.approx(result.student_agreement)
    assert result.accuracy["cascade"] == pytest.approx(result.agreement)
    page = (trained / "report.html").read_text()
    assert 'id="cascade"' in page
    assert "Texts per second" in page
    assert "plot-cascade" in page
    empty = frame.assign(label=None)
    assert run.with_fast(student, 0.9, empty).accuracy == {}


def test_a_student_of_layers(trained):
    run = training_run(load=trained)
    place = Path(shutil.copytree(trained, trained.parent / "layers"))
    entry = {"run_name": "trained", "identity": RunDir(trained).identity(), "kind": "layers"}
    edited(place, student_of=entry)
    write_learned(place / "extra", text_hashes(()))
    result = run.with_fast(place, 0.9, TEXTS)
    assert result.share == 1.0 == result.agreement
    rows = training_run(load=trained, verify=True).predict_frame(NEW, backend="cascade")
    assert set(rows["answered_by"]) == {"student"}
    assert list(rows["label"]) == run.predict_labels(NEW)


def test_the_monitor_warns_on_texts_of_another_kind(trained):
    run, student = training_run(load=trained), student_of(trained)
    run.with_fast(student, 0.9, TEXTS, monitor=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.predict(NEW, backend="cascade")
    # What the student is sure of, it decides otherwise.
    weights = run.model.classifier.weight.data
    weights *= -1
    with pytest.warns(CascadeWarning, match="disagrees with its teacher on"):
        run.predict_labels(word_texts(200, seed=2), backend="cascade")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.predict_labels(NEW, backend="cascade")
        run.cascade_model(monitored=False).read(NEW)


def test_several_labels_are_equal_if_their_sets_are(tiny_model, tmp_path):
    texts = word_texts(400, seed=5)
    kinds = [(any(w in t for w in ANIMALS), any(w in t for w in FRUIT)) for t in texts]
    labels = [[n for n, has in zip(("animal", "fruit"), k, strict=True) if has] for k in kinds]
    frame = pd.DataFrame({"text": texts, "labels": labels})
    run = training_run(
        "multi-label-classification",
        "several",
        run_dir_parent=tmp_path,
        base_model_name=tiny_model,
        label_names=["animal", "fruit"],
    )
    run.train(frame[:100], fine_tune=False)
    student = student_of(run.run_dir)
    result = run.with_fast(student, 0.6, frame[100:])
    rows = run.predict_frame(texts[:80], backend="cascade")
    mine = training_run(load=student).predict(texts[:80])
    own = run.predict(texts[:80])
    rule = run.decision_rule()
    for who, labels, one, other in zip(rows["answered_by"], rows["labels"], mine, own, strict=True):
        # The run's own thresholds decide on the scores of either.
        assert labels == rule.decide(one if who == "student" else other)
        closest = min(one, key=lambda name: abs(one[name] - rule.limits()[name]))
        margin = result.margins[closest]
        sure = abs(one[closest] - rule.limits()[closest]) >= (np.inf if margin is None else margin)
        assert sure == (who == "student")


def test_the_command(trained, cli):
    student_of(trained)
    source = trained.parent / "texts.csv"
    pd.DataFrame({"text": TEXTS}).to_csv(source, index=False)
    cli("cascade", trained, trained.parent / "student", source, "--min-agreement", "0.9", "--json")
    assert cli.status == 0
    assert json.loads(cli.out)["share"] > 0
    cli("predict", trained, source, "--backend", "cascade", "-o", trained.parent / "out.csv")
    assert cli.status == 0
    assert set(pd.read_csv(trained.parent / "out.csv")["answered_by"]) == {"student", "teacher"}
    cli("cascade", trained, "student", source, "--min-agreement", "0.9999")
    assert cli.status == 2
    assert "takes at least" in cli.err


def test_without_torch(trained):
    pytest.importorskip("onnxruntime")
    run, student = training_run(load=trained), student_of(trained)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClxWarning)
        run.export(int8=False)
    result = run.with_fast(student, 0.9, TEXTS)
    assert result.teacher == "onnx"
    expected = run.predict_frame(NEW, backend="cascade")
    code = (
        "import json, sys\n"
        "from clx_runtime import load\n"
        "model = load(sys.argv[1], backend='cascade')\n"
        "table = model.predict_batch({'text': sys.argv[2].split('|')})\n"
        "assert 'torch' not in sys.modules and 'clx' not in sys.modules\n"
        "print(json.dumps([list(table['answered_by']), [str(x) for x in table['label']]]))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(trained), "|".join(NEW)],
        env=os.environ, check=True, capture_output=True, text=True,
    )  # fmt: skip
    who, labels = json.loads(found.stdout)
    assert who == list(expected["answered_by"])
    assert labels == list(expected["label"])
    from clx_runtime import load
    from clx_runtime.errors import ConfigError as RuntimeConfigError

    with pytest.raises(RuntimeConfigError, match="min_score does not go"):
        load(trained, backend="cascade").predict_labels(NEW, min_score=0.3)
    manifest = json.loads((trained / "manifest.json").read_text())
    manifest["files"]["onnx/model.onnx"]["sha256"] = "that of another export"
    (trained / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunDirError, match="was exported again"):
        training_run(load=trained).predict(NEW, backend="cascade")
    with pytest.raises(RunDirError, match="was exported again"):
        load(trained, backend="cascade")


def test_it_is_shared(cascaded, tmp_path):
    from clx.ml.sharing.shared_copy import shared_copy

    copy = shared_copy(RunDir(cascaded.run_dir), tmp_path, False, lambda *_: ("card", "0"))
    assert not any("fast/" in entry for entry in copy.left_out)
    shared = training_run(load=copy.directory.path, verify=True)
    assert shared.predict(NEW, backend="cascade") == cascaded.predict(NEW, backend="cascade")
    assert shared.results["cascade"]["margins"] == cascaded.results["cascade"]["margins"]
