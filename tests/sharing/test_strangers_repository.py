"""A repository of a stranger: only what its manifest lists is taken, and only if it is safe."""

import hashlib
import json

import pytest

from clx.errors import RunDirError
from clx.ml import training_run

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture(scope="module")
def shared(_shared_once, tmp_path_factory):
    """The files of a repository that a run was pushed to."""
    from clx.ml.run_directory.hub_address import repository_path
    from clx.ml.run_directory.layout import RunDir
    from clx.ml.sharing.shared_copy import shared_copy, uploaded_files

    source = RunDir(_shared_once)
    folder = tmp_path_factory.mktemp("copy") / "new"
    copy = shared_copy(source, folder, include_texts=False, card=lambda *_: ("# card", ""))
    root = copy.directory.path
    return {repository_path(name): (root / name).read_bytes() for name in uploaded_files(copy)}


@pytest.fixture
def repository(hub, shared):
    """A repository with these files."""
    from hub_stub import Repository

    hub.repositories["you/run"] = Repository(private=False)

    def push(**changes):
        files = {**shared, **changes}
        hub.repositories["you/run"].add(
            "main", {k: v for k, v in files.items() if v is not None}, ""
        )

    return push


def entry(content):
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def manifest_with(shared, **entries):
    manifest = json.loads(shared["clx/manifest.json"])
    manifest["files"] |= entries
    return {"clx/manifest.json": json.dumps(manifest).encode()}


def test_files_that_the_manifest_does_not_list_are_not_taken(repository, hub):
    evil = b"raise SystemExit"
    names = ["modeling.py", "pytorch_model.bin", "adapter_config.json", "clx/extra/x.py"]
    repository(**dict.fromkeys(names, evil))
    run = training_run(load="hf://you/run")
    run.predict(["the apple"])
    taken = {p.relative_to(run.run_dir).as_posix() for p in run.run_dir.rglob("*") if p.is_file()}
    assert taken == {
        "config.json",
        "environment.json",
        "manifest.json",
        "results.json",
        "model/config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
        "model/tokenizer_config.json",
    }
    asked = [each for each in hub.requests if "/resolve/" in each]
    assert not any(name in each for each in asked for name in (*names, "README.md", "report.html"))


@pytest.mark.parametrize(
    "name",
    [
        "model/../../../x.txt",
        "../x.txt",
        "/tmp/x.txt",
        "model//x.txt",
        "model/./x.txt",
        "model\\x.txt",
        "model/C:x.txt",
        "model",
        "config.json/x.txt",
        "checkpoints/x.txt",
        "report.html",
        ".git/config",
        "extra/a\nb",
    ],
)
def test_a_name_that_is_not_a_file_of_a_run_is_refused(repository, shared, hub, name):
    content = b"x"
    path = name.removeprefix("model/") if name.startswith("model/") else f"clx/{name}"
    repository(**{**manifest_with(shared, **{name: entry(content)}), path: content})
    with pytest.raises(RunDirError, match="not the name of a file of a run"):
        training_run(load="hf://you/run")
    # Nothing but the manifest was downloaded.
    assert {each.rpartition("/")[2] for each in hub.requests if "/resolve/" in each} == {
        "manifest.json"
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"size": -1}, "no size"),
        ({"size": 10**15}, "instead of 1000000000000000"),
        ({"sha256": "x"}, "SHA-256"),
        ({"sha256": "0" * 64}, "differs"),
    ],
)
def test_a_wrong_entry_is_refused(repository, shared, changed, said):
    weights = entry(shared["model.safetensors"])
    repository(**manifest_with(shared, **{"model/model.safetensors": {**weights, **changed}}))
    with pytest.raises(RunDirError, match=said):
        training_run(load="hf://you/run")


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"[]", "not a JSON object"),
        (b"{", "not valid JSON"),
        (b'{"files": []}', "no list of files"),
        (b'{"files": {}}', "no config or no model"),
    ],
)
def test_a_broken_manifest_is_refused(repository, manifest, said):
    repository(**{"clx/manifest.json": manifest})
    with pytest.raises(RunDirError, match=said):
        training_run(load="hf://you/run")


def test_a_missing_file_is_named(repository):
    repository(**{"tokenizer.json": None})
    with pytest.raises(RunDirError, match=r"model/tokenizer\.json.* is missing"):
        training_run(load="hf://you/run")


def test_code_of_the_repository_does_not_run(repository, shared):
    config = json.loads(shared["config.json"])
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "modeling.Mine"}}
    content = json.dumps(config).encode()
    listed = manifest_with(shared, **{"model/config.json": entry(content)})
    repository(**{**listed, "config.json": content, "modeling.py": b"raise SystemExit"})
    with pytest.raises(RunDirError, match="trust_remote_code"):
        training_run(load="hf://you/run")


def test_a_failed_download_leaves_nothing_that_opens(repository, shared, own_data_dir):
    repository(**{"tokenizer.json": shared["tokenizer.json"].replace(b"apple", b"grape")})
    for _ in range(2):
        with pytest.raises(RunDirError, match="differs from what the manifest says"):
            training_run(load="hf://you/run")
    assert [path for path in own_data_dir.rglob("*") if path.is_file()] == []
