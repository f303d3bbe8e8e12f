"""``report_to``: an option of the run or an entry of ``training_args``, settled in one place."""

import sys

import pytest

from clx.errors import ConfigError, MissingDependencyError
from clx.ml import training_run
from clx.ml.task.reporting import integrations_of, settled, trackers_of
from clx.ml.tracking.parameters import parameters


def without(monkeypatch, *modules):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


def make(tiny_model, **arguments):
    arguments = {"max_steps": 1, "disable_tqdm": True, **arguments}
    options = {"base_model_name": tiny_model, "head_init": "random", "training_args": arguments}
    return training_run("classification", "x", **options)


@pytest.mark.parametrize(
    ("option", "argument", "names"),
    [
        (None, None, ()),
        ("none", None, ()),
        ([], None, ()),
        (None, "none", ()),
        ("mlflow", None, ("mlflow",)),
        (None, "mlflow", ("mlflow",)),
        (["wandb", "tensorboard", "wandb"], None, ("wandb", "tensorboard")),
        ("none", "mlflow", ()),
    ],
)
def test_the_option_counts_and_else_the_entry(option, argument, names):
    assert settled(option, argument) == names


def test_all_means_what_is_installed(monkeypatch):
    assert {"tensorboard", "mlflow", "wandb"} <= set(settled("all", None))
    without(monkeypatch, "mlflow")
    assert "mlflow" not in settled("all", None)


def test_the_trainer_serves_what_clx_does_not():
    names = ("mlflow", "clearml", "tensorboard")
    assert trackers_of(names) == ("mlflow", "tensorboard")
    assert integrations_of(names) == ("clearml",)


@pytest.mark.parametrize("option", ["tensorboard", ["tensorboard", "wandb"], "none", ["none"]])
def test_both_may_say_the_same(option):
    training_run("classification", "x", report_to=option, training_args={"report_to": option})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"report_to": "tensorbord"}, "did you mean 'tensorboard'"),
        ({"report_to": ["wandb", "x"]}, "tensorboard, mlflow, wandb, azure_ml"),
        ({"report_to": 5}, "must be the name of a tracker"),
        ({"report_to": [""]}, "must be the name of a tracker"),
        ({"report_to": {"mlflow": True}}, "must be the name of a tracker"),
        ({"training_args": {"report_to": "mlfow"}}, "did you mean 'mlflow'"),
        (
            {"report_to": "mlflow", "training_args": {"report_to": "wandb"}},
            "report_to is 'mlflow', but training_args has report_to='wandb'",
        ),
        ({"report_to": "none", "training_args": {"report_to": "wandb"}}, "keep one of them"),
    ],
)
def test_wrong_names_and_contradictions_are_refused_when_the_run_is_made(options, said):
    with pytest.raises(ConfigError) as caught:
        training_run("classification", "x", **options)
    assert said in str(caught.value)


@pytest.mark.parametrize("in_arguments", [False, True], ids=["option", "entry"])
@pytest.mark.parametrize(
    ("name", "modules", "line"),
    [
        ("mlflow", ["mlflow"], "pip install mlflow"),
        ("wandb", ["wandb"], "pip install wandb"),
        ("tensorboard", ["tensorboard", "tensorboardX"], "pip install tensorboard"),
        ("comet_ml", ["comet_ml"], "pip install comet-ml"),
        ("clearml", ["clearml"], "pip install clearml"),
    ],
)
def test_a_missing_package_is_named_when_the_run_is_made(
    name, modules, line, in_arguments, monkeypatch
):
    without(monkeypatch, *modules)
    options = {"training_args": {"report_to": name}} if in_arguments else {"report_to": name}
    with pytest.raises(MissingDependencyError, match=line):
        training_run("classification", "x", **options)


@pytest.mark.parametrize("module", ["tensorboard", "tensorboardX"])
def test_one_of_two_packages_is_enough_for_tensorboard(module, monkeypatch):
    without(monkeypatch, module)
    training_run("classification", "x", report_to="tensorboard")


def test_a_run_made_by_name_predicts_whatever_it_would_report_to(trained):
    run = training_run(
        "classification", trained.name, run_dir_parent=trained.parent, report_to="tensorboard"
    )
    assert len(run.predict(["a cat"])) == 1


def test_nothing_is_logged_unless_asked(tiny_model, fruit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    without(monkeypatch, "mlflow", "wandb", "torch.utils.tensorboard", "tensorboardX")
    result = (run := make(tiny_model)).train(fruit)
    assert result.tracking == run.results["tracking"] == {}
    assert not list(tmp_path.iterdir())
    assert [path.name for path in (run.run_dir / "logs").iterdir()] == ["metrics.jsonl"]


def test_folds_of_a_cross_validation_log_nothing(tiny_model, fruit, tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    make(tiny_model, report_to="tensorboard").cross_validate(fruit, folds=2)
    assert not (tmp_path / "events").exists()


def test_the_parameters_are_the_options_that_were_set(tiny_model):
    run = training_run(
        "classification",
        "x",
        base_model_name=tiny_model,
        label_names=["animal", "fruit"],
        training_args={"learning_rate": 1e-3, "report_to": "tensorboard"},
        class_weights="balanced",
        calibrate=True,
    )
    made_with = {name: getattr(run, name) for name in run.config if hasattr(run, name)}
    assert parameters(run, made_with, {"fine_tune": False}) == {
        "run_name": "x",
        "task": "classification",
        "base_model_name": str(tiny_model),
        "training_args.learning_rate": 1e-3,
        "class_weights": "balanced",
        "label_names": '["animal", "fruit"]',
        "fine_tune": False,
    }
