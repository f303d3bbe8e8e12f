"""OpenVINO beside ONNX Runtime: equal answers, one file, clear errors without the packages."""

import importlib.util
import io
import os
import sys
import zipfile

import pytest

from clx.errors import ClxWarning, ConfigError, ExportError, MissingDependencyError, RunDirError
from clx.ml import training_run
from clx.ml.prediction import openvino_export
from clx.ml.prediction.onnx_check import Expected
from clx_runtime import load, openvino_file
from clx_runtime.exports import Export, export_in
from clx_runtime.sessions import installed
from conftest import fruit_frame, mixed_texts

pytest.importorskip("onnxruntime")
TEXTS = [text for text in mixed_texts(40) if len(text.split()) < 60]
HAS_OPENVINO = importlib.util.find_spec("openvino") is not None
HAS_NNCF = importlib.util.find_spec("nncf") is not None
needs_openvino = pytest.mark.skipif(not HAS_OPENVINO, reason="needs openvino")
needs_nncf = pytest.mark.skipif(not (HAS_OPENVINO and HAS_NNCF), reason="needs openvino and nncf")


@pytest.fixture(scope="module")
def run(tiny_model, tmp_path_factory):
    made = training_run(
        "classification",
        "exported",
        run_dir_parent=tmp_path_factory.mktemp("run"),
        base_model_name=tiny_model,
    )
    data = fruit_frame()
    made.train(data, data.iloc[:24], fine_tune=False)
    made.export("onnx", texts=TEXTS)
    return made


def packed(path, names=("model.xml", "model.bin"), how=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", how) as archive:
        for name in names:
            archive.writestr(name, b"0" * 100)
    return path


@needs_openvino
def test_openvino_answers_as_torch_does(run):
    expected = run.predict(TEXTS)
    for predicted in (
        run.predict(TEXTS, backend="openvino"),
        load(run.run_dir, "openvino", threads=1).predict(TEXTS),
    ):
        assert predicted == [pytest.approx(scores, abs=1e-5) for scores in expected]
    assert run.predict_labels(TEXTS, backend="openvino") == run.predict_labels(TEXTS)


@needs_nncf
def test_eight_bits_are_reported_and_answer_alike_at_every_door(run, tmp_path):
    report = run.export("onnx", texts=TEXTS, to=tmp_path / "a.clx.zip", backend="openvino-int8")
    int8 = report.checks["openvino-int8"]
    assert 0 < int8.largest_difference < 0.2
    tried = [share for how, share in report.tried.items() if how in openvino_export.WAYS]
    assert int8.equal_decisions == max(tried)
    assert report.default in report.checks
    assert {path.name for path in (run.run_dir / "onnx").iterdir()} == {
        "model.onnx", "model.int8.onnx", "model.int8.openvino", "settings.json", "tokenizer.json",
        "report.json",
    }  # fmt: skip
    expected = run.predict(TEXTS, backend="openvino-int8")
    for place in (run.run_dir, tmp_path / "a.clx.zip"):
        predicted = load(place, "openvino-int8").predict(TEXTS)
        assert predicted == [pytest.approx(scores, abs=1e-6) for scores in expected]


@needs_openvino
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_predicts_too(run):
    before = run.predict(TEXTS[:4], backend="openvino")
    child = os.fork()
    if child == 0:
        os._exit(0 if run.predict(TEXTS[:4], backend="openvino") == before else 1)
    assert os.waitpid(child, 0)[1] == 0


@needs_openvino
def test_a_gpu_is_refused(run):
    with pytest.raises(ConfigError, match="With OpenVINO the device can be cpu, not 'cuda'"):
        load(run.run_dir, "openvino", device="cuda")


@needs_openvino
def test_a_model_that_openvino_cannot_run_is_left_out(run, monkeypatch):
    compare = Expected.compare

    def failing(self, folder, backend, how):
        if backend == "openvino":
            raise ExportError("no such operation")
        return compare(self, folder, backend, how)

    monkeypatch.setattr(Expected, "compare", failing)
    with pytest.warns(ClxWarning, match="The export does without OpenVINO: no such operation"):
        report = run.export("onnx", texts=TEXTS[:4])
    assert list(report.checks) == ["onnx", "onnx-int8"]


def test_without_the_package_the_error_has_the_line_to_type(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clx-core\[openvino\]'"):
        load(run.run_dir, "openvino")


def test_an_export_for_eight_bits_names_nncf_before_it_works(run, tmp_path, monkeypatch):
    monkeypatch.setattr(openvino_export, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install openvino nncf"):
        run.export("onnx", texts=TEXTS, to=tmp_path / "a.clx.zip", backend="openvino-int8")


def test_the_default_is_the_fastest_that_decides_alike_and_is_installed(run):
    checks = {
        "onnx": {"equal_decisions": 1.0},
        "onnx-int8": {"equal_decisions": 0.992},
        "openvino-int8": {"equal_decisions": 0.991},
    }
    whole = export_in(run.run_dir / "onnx")
    weights = dict.fromkeys(("onnx", "openvino", "onnx-int8", "openvino-int8"), bytes)
    export = Export("here", whole.settings, whole.tokenizer, {"checks": checks}, weights)
    assert export.best_backend() == "openvino-int8"
    assert export.best_backend(["onnx", "onnx-int8"]) == "onnx-int8"
    assert export.best_backend(["openvino"]) == "openvino"
    checks["openvino-int8"]["equal_decisions"] = 0.98
    assert export.best_backend() == "onnx-int8"
    assert "onnx" in installed(weights)


@pytest.mark.parametrize(
    ("names", "how"),
    [
        (("model.xml",), zipfile.ZIP_STORED),
        (("model.xml", "model.bin", "more.bin"), zipfile.ZIP_STORED),
        (("model.xml", "model.bin"), zipfile.ZIP_DEFLATED),
    ],
    ids=["a file is missing", "one too many", "compressed"],
)
def test_a_model_that_could_grow_is_not_opened(run, tmp_path, names, how):
    content = packed(tmp_path / "m", names, how).read_bytes()
    assert openvino_file.packed_problems(content, "m") == ["m is not an OpenVINO model"]
    placed = run.run_dir / "onnx" / "model.int8.openvino"
    before = placed.read_bytes() if placed.exists() else None
    placed.write_bytes(content)
    try:
        with pytest.raises(RunDirError, match=r"is not an OpenVINO model|does not have the size"):
            load(run.run_dir, "onnx")
    finally:
        placed.unlink()
        if before is not None:
            placed.write_bytes(before)


def test_what_is_packed_is_unpacked(tmp_path):
    (tmp_path / "g").write_bytes(b"<net/>")
    (tmp_path / "w").write_bytes(b"1234")
    openvino_file.pack(tmp_path / "g", tmp_path / "w", tmp_path / "m")
    for model in (tmp_path / "m", (tmp_path / "m").read_bytes()):
        assert openvino_file.is_packed(model)
        assert openvino_file.unpacked(model) == (b"<net/>", b"1234")
        assert openvino_file.packed_problems(model, "m") == []
    assert not openvino_file.is_packed(io.BytesIO(b"onnx").read())
