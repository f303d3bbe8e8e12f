"""Checks of the saved training run: the model, its labels, and the files of the run directory."""

from __future__ import annotations

import json

from clx.testing.catalog import check
from clx.testing.label_kinds import CLASSES, label_kind
from clx.testing.outcomes import CheckFailedError
from clx.testing.sampled import without_clx_warnings
from clx.testing.subject import Subject
from clx.testing.tolerance import same

PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".npy", ".ckpt")


@check(
    "The saved model is the trained model.",
    "The model that was evaluated in training is not the model that predicts afterwards.",
    "load_model load_tokenizer",
    reads="training",
)
def saved_is_trained(subject: Subject) -> None:
    """Compare the metrics at the end of training with those of the saved run."""
    subject.require_published()
    during = subject.trained[1].metrics
    with without_clx_warnings():
        after = subject.opened().evaluate(subject.sample).metrics
    for name, value in during.items():
        if not same(value, after.get(name), 1e-3):
            raise CheckFailedError(
                f"{name} is {value} at the end of training, and {after.get(name)} when the run is "
                f"opened"
            )


@check(
    "model_args reach the model.",
    "A dropout rate or dtype that a user sets is silently ignored.",
    "load_model",
    reads="training",
)
def model_args(subject: Subject) -> None:
    """Load the model with another dropout rate."""
    run = subject.opened()
    if "hidden_dropout_prob" not in run.model.config.to_dict():
        return
    changed = subject.opened()
    changed.model_args = {**changed.model_args, "hidden_dropout_prob": 0.375}
    found = changed.model.config.hidden_dropout_prob
    if found != 0.375:
        raise CheckFailedError(
            f"model_args={{'hidden_dropout_prob': 0.375}} makes a model with {found}"
        )


@check(
    "Plain transformers can load the model folder.",
    "Software without clx, such as an inference server, gets an error or a random head.",
    "load_model",
    reads="training",
)
def plain_transformers(subject: Subject) -> None:
    """Load model/ with the class that its config names."""
    import transformers

    folder = subject.run_dir / "model"
    config = transformers.AutoConfig.from_pretrained(folder)
    names = config.architectures or ["(none)"]
    cls = getattr(transformers, names[0], None)
    if cls is None:
        raise CheckFailedError(
            f"model/config.json names the class {names[0]}, which transformers does not have"
        )
    model, info = cls.from_pretrained(folder, output_loading_info=True)
    if info["missing_keys"]:
        raise CheckFailedError(
            f"{names[0]}.from_pretrained finds no weights for {sorted(info['missing_keys'])[:3]}"
        )
    ours = subject.opened().model
    if type(model) is not type(ours):
        raise CheckFailedError(
            f"the model is a {type(ours).__name__}, but model/config.json names {names[0]}"
        )


@check(
    "Label names survive saving.",
    "A user gets LABEL_0 instead of a name, or the names in another order.",
    "load_model post_process_prediction",
    reads="training",
)
def labels_survive(subject: Subject) -> None:
    """Compare id2label of the saved model with label_names, and look for LABEL_ in predictions."""
    config = json.loads((subject.run_dir / "model" / "config.json").read_text(encoding="utf-8"))
    saved = [config["id2label"][key] for key in sorted(config.get("id2label") or {}, key=int)]
    run = subject.opened()
    if label_kind(run) != CLASSES:
        return
    names = getattr(run, "label_names", None)
    if len(saved) > 1 and saved == [f"LABEL_{number}" for number in range(len(saved))]:
        raise CheckFailedError(f"the labels of the saved model are {', '.join(saved)}")
    if isinstance(names, list) and len(names) == len(saved) and names != saved:
        raise CheckFailedError(
            f"label_names is {names}, but the labels of the saved model are {saved}"
        )
    if subject.predicts and "LABEL_" in json.dumps(subject.predictions, default=str):
        raise CheckFailedError(f"a prediction is {subject.predictions[0]!r}")


@check(
    "The run directory contains no pickle.",
    "Opening someone else's run would execute that person's code.",
    "save_extra",
    reads="training",
)
def no_pickle(subject: Subject) -> None:
    """Check the name and the first bytes of each file."""
    for path in sorted(subject.run_dir.rglob("*")):
        if path.is_file():
            start = path.read_bytes()[:2]
            if path.suffix in PICKLED or (
                start[:1] == b"\x80" and start[1:] in (b"\x02", b"\x03", b"\x04", b"\x05")
            ):
                raise CheckFailedError(f"{path.relative_to(subject.run_dir)} is a pickle")
