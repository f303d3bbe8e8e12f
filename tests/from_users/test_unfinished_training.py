"""A user pressed Ctrl-C in clx train and ran it again: it began at step 0 and deleted the checkpoint."""

import pandas as pd
import pytest
from transformers import TrainerCallback

from cli_helpers import Cli
from clx.errors import RunExistsError
from clx.ml import training_run

ARGUMENTS = {
    "max_steps": 6, "save_strategy": "steps", "save_steps": 2, "disable_tqdm": True,
}  # fmt: skip


class Stop(TrainerCallback):
    """Breaks a training off after its fourth step, as a kill or a power failure does."""

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 4:
            raise KeyboardInterrupt


@pytest.fixture
def interrupted(tiny_model, fruit):
    options = {"base_model_name": tiny_model, "training_args": ARGUMENTS}
    run = training_run("classification", "broken", **options)
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, callbacks=[Stop])
    return training_run("classification", "broken", **options)


def checkpoints(run):
    return sorted(path.name for path in (run.run_dir / "checkpoints").glob("checkpoint-*"))


def test_the_same_training_again_is_refused_and_sweeps_nothing(interrupted, fruit):
    before = checkpoints(interrupted)
    assert before
    with pytest.raises(RunExistsError, match=r"did not finish.*resume=True.*overwrite=True"):
        interrupted.train(fruit)
    assert checkpoints(interrupted) == before


def test_resume_goes_on(interrupted, fruit):
    assert interrupted.train(fruit, resume=True).steps == 6
    assert checkpoints(interrupted) == []


def test_overwrite_starts_again(interrupted, fruit):
    assert interrupted.train(fruit, overwrite=True).steps == 6
    assert interrupted.is_trained


def test_a_training_that_left_no_checkpoint_is_just_made(tiny_model, fruit):
    options = {"base_model_name": tiny_model, "training_args": {**ARGUMENTS, "save_steps": 5}}
    run = training_run("classification", "early", **options)
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, callbacks=[Stop])
    assert run.train(fruit).steps == 6


def test_the_command_line_names_its_options(
    interrupted, fruit, tiny_model, tmp_path, capsys, monkeypatch
):
    data = tmp_path / "train.csv"
    pd.DataFrame(fruit).to_csv(data, index=False)
    cli = Cli(capsys, monkeypatch)
    done = cli("train", "classification", "broken", data, "--base-model", tiny_model)
    assert done.status == 2
    assert "--resume" in done.err
    assert "--overwrite" in done.err
