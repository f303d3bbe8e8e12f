"""A disk that is really full, as the libraries that write in native code meet it: a small tmpfs."""

import os
import re
import shutil
import subprocess

import pytest

from clx.errors import DiskFullError
from clx.ml import training_run
from conftest import fruit_frame

SIZE = 8_000_000


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a disk, where it may")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def leave(folder, free):
    """Fill the disk until so many bytes are free."""
    ballast = folder / "ballast"
    ballast.unlink(missing_ok=True)
    ballast.write_bytes(bytes(shutil.disk_usage(folder).free - free))


@pytest.mark.filterwarnings("ignore:The training writes about:clx.errors.ClxWarning")
def test_training_on_a_disk_that_fills_up(small_disk, tiny_model, fruit):
    arguments = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1, "disable_tqdm": True}

    def run():
        return training_run(
            "classification",
            "run",
            run_dir_parent=small_disk,
            base_model_name=tiny_model,
            training_args=arguments,
        )

    run().train(fruit)
    before = training_run(load=small_disk / "run").predict("cat")
    # Nothing fits; a config does; the weights of a checkpoint do; the checkpoint, but not the model.
    failed = []
    for free in (0, 20_000, 200_000, 500_000, 900_000):
        leave(small_disk, free)
        try:
            run().train(fruit, overwrite=True)
            break
        except DiskFullError as error:
            failed.append(str(error))
        assert training_run(load=small_disk / "run", verify=True).predict("cat") == before
    assert len(failed) >= 3
    said = rf"The disk of {small_disk} is full: about [\d.]+ .B are needed, and [\d.]+ k?B are free"
    assert [each for each in failed if not re.match(said, each)] == []
    (small_disk / "ballast").unlink()
    run().train(fruit, overwrite=True)
    assert training_run(load=small_disk / "run", verify=True).is_trained
    assert sorted(p.name for p in small_disk.iterdir()) == [".run.lock", "run"]


def test_predict_file_on_a_disk_that_fills_up(small_disk, trained):
    run = training_run(load=trained)
    source = small_disk.parent / "in.csv"
    fruit_frame(400).to_csv(source, index=False)
    for kind in ("csv", "jsonl", "parquet"):
        target = small_disk / f"out.{kind}"
        leave(small_disk, 5_000)
        with pytest.raises(DiskFullError, match=f"The disk of {small_disk} is full"):
            run.predict_file(source, target)
        assert not target.exists()
        (small_disk / "ballast").unlink()
        run.predict_file(source, target, resume=True)
        assert [path.name for path in small_disk.iterdir()] == [target.name]
        target.unlink()
