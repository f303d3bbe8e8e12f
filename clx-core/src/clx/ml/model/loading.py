"""Load tokenizers, models and pipelines through the task's methods, and check them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ModelError
from clx.ml.data.no_tokens import stand_in, with_tokens
from clx.ml.data.overriding import copy_overriding
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.base_models import (
    read_model_config,
    refuse_foreign_code,
    resolve_base_model,
)
from clx.ml.model.base_runs import run_of_model
from clx.ml.model.masks import fills_masks, keep_mask
from clx.ml.model.positions import refuse_more_tokens, set_input_limit
from clx.ml.run_directory.safe_model import DOWNLOAD_ARGS, OF_THE_BASE
from clx.ml.run_directory.safe_weights import weight_shapes
from clx.ml.task.author_code import author_code
from clx.ml.task.predicting import require_prediction
from clx.problems import examples, names
from clx_runtime.forks import not_forked
from clx_runtime.texts import split_pair

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.task.task import Task


def base_folder(task: Task, weights: bool = True) -> Path:
    """Return the folder of a task's base model; see :func:`resolve_base_model`."""
    return _folder(task, task.base_model_name, weights)


def _folder(task: Task, name: str, weights: bool) -> Path:
    return resolve_base_model(
        name, weights, near=task.run_dir_parent, trusted=task.trust_remote_code
    )


def load_base_tokenizer(task: Task) -> PreTrainedTokenizerBase:
    """Return the tokenizer for a task's base model, with the model's input limit.

    Raises:
        ModelNotFoundError: there is no such tokenizer.
        ModelError: the folder has no tokenizer, or needs its own code.
        ConfigError: the task's options give the base model more tokens than it can read.
    """
    base, other = base_folder(task, weights=False), task.tokenizer_name
    tokenizer = load_tokenizer(task, _folder(task, other, weights=False) if other else base)
    set_input_limit(tokenizer, base, task.model_args)
    refuse_more_tokens(task, base)
    return tokenizer


def load_tokenizer(task: Task, folder: Path) -> PreTrainedTokenizerBase:
    """Return the task's tokenizer from a folder, with the input limit of a model there.

    Raises:
        ModelError: the folder has no tokenizer, or needs its own code.
    """
    refuse_code = (folder / "config.json").is_file()
    if refuse_code:
        refuse_foreign_code(folder, task.trust_remote_code)
    with author_code(task, "load_tokenizer"):
        tokenizer = task.load_tokenizer(str(folder))
    _refuse_empty_vocabulary(tokenizer, folder)
    # Input is text, even if it looks like a special token. The setting is saved with the tokenizer, so
    # that every reader of the model tokenizes alike.
    as_text = bool(task.tokenize_args.get("split_special_tokens", True))
    tokenizer.split_special_tokens = tokenizer.init_kwargs["split_special_tokens"] = as_text
    if as_text and fills_masks(task):
        keep_mask(tokenizer)
    set_input_limit(tokenizer, folder, {})
    return tokenizer


def load_model(
    task: Task,
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    changed: Mapping[str, Any] | None = None,
) -> PreTrainedModel:
    """Return the task's model from a folder, in evaluation mode.

    Args:
        task: the task with the method ``load_model``.
        folder: the base model, or the model of a run.
        tokenizer: the tokenizer whose tokens the model must have.
        changed: additional ``model_args`` for this call.

    Raises:
        ModelError: the weights do not fit the labels or the tokenizer, or the folder needs its own
            code.
    """
    refuse_foreign_code(folder, task.trust_remote_code)
    stored = task.model_args
    code = {"trust_remote_code": True} if task.trust_remote_code else {}
    if changed or code:
        task.model_args = {**stored, **(changed or {}), **code}
    try:
        with quiet_transformers(), author_code(task, "load_model"):
            model = task.load_model(str(folder))
    except RuntimeError as error:
        if "ize" in str(error) and "mismatch" in str(error):
            labels = len(read_model_config(folder).get("id2label") or ())
            raise ModelError(
                f"The weights in {folder} do not fit this run: the model has "
                f"{labels or 'another number of'} labels, and the run has a different number. Use a "
                f"base model without a head, or model_args={{'ignore_mismatched_sizes': True}} to start "
                f"with a new head."
            ) from error
        raise
    finally:
        task.model_args = stored
    _refuse_wrapped(task, model)
    _refuse_other_vocabulary(model, tokenizer, folder)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    # clx and pipelines read outputs by name; model_args or a checkpoint may set return_dict to
    # False.
    model.config.return_dict = True
    _choose_attention_by_call(model)
    model.eval()
    return model


def load_base_model(
    task: Task,
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    changed: Mapping[str, Any] | None = None,
    continued: bool = False,
) -> PreTrainedModel:
    """Return the task's model from its base model; see :func:`load_model`.

    The base model of a ``continued`` training is the model of the same run, which has its own config.
    If the base model is a run's, weights with a row per label start anew where the number of labels
    differs.

    Raises:
        ModelError: as for :func:`load_model`, or other weights of the run have another size.
    """
    if run_of_model(folder) is None:
        return load_model(task, folder, tokenizer, changed)
    stored = task.model_args
    # These say where the base model of the run came from.
    left_out = OF_THE_BASE if continued else DOWNLOAD_ARGS
    task.model_args = {key: value for key, value in stored.items() if key not in left_out}
    try:
        return load_model(task, folder, tokenizer, changed)
    except ModelError as error:
        if not isinstance(error.__cause__, RuntimeError):
            raise
        changed = {**(changed or {}), "ignore_mismatched_sizes": True}
        model = load_model(task, folder, tokenizer, changed)
        _refuse_other_sizes(model, folder)
        return model
    finally:
        task.model_args = stored


def _refuse_other_sizes(model: PreTrainedModel, folder: Path) -> None:
    """Refuse a model with new random weights outside its head."""
    own, saved = model.state_dict(), weight_shapes(folder)
    prefix = f"{model.base_model_prefix}."
    other = [
        name
        for name, shape in saved.items()
        if name.startswith(prefix) and name in own and tuple(own[name].shape) != tuple(shape)
    ]
    if other:
        raise ModelError(
            f"The weights in {folder} do not fit this run: {examples(other)} have other sizes. Leave "
            f"out the model_args that change the size of the model."
        )


def _choose_attention_by_call(model: PreTrainedModel) -> None:
    """Undo a side effect of BigBird: after one short batch, it no longer reads long ones sparsely."""
    if getattr(model.config, "attention_type", None) != "block_sparse":
        return
    for module in model.modules():
        if hasattr(module, "set_attention_type"):
            module.register_forward_pre_hook(lambda m, _: m.set_attention_type("block_sparse"))
            return


def _refuse_empty_vocabulary(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Refuse the tokenizer that transformers makes up for a folder without one.

    It would map every word to the unknown token.
    """
    files = (*(getattr(tokenizer, "vocab_files_names", None) or {}).values(), "tokenizer.json")
    if getattr(tokenizer, "is_fast", False) and not any(
        (folder / name).is_file() for name in files
    ):
        raise ModelError(f"{folder} has no tokenizer: it has none of {names(dict.fromkeys(files))}")


def _refuse_wrapped(task: Task, model: Any) -> None:
    """Refuse a model that cannot be saved whole, before it is trained."""
    adapted = hasattr(model, "peft_config")
    if hasattr(type(model), "save_pretrained") and not adapted:
        return
    why = "saves only its adapter" if adapted else "has no save_pretrained() of its own"
    raise ModelError(
        f"load_model() of the task {task.name!r} returned a {type(model).__name__}, which {why}: "
        f"the trained model could not be opened again. Return a PreTrainedModel of transformers "
        f"that is not wrapped: for torch.compile, set training_args={{'torch_compile': True}}; for an "
        f"adapter, use the option lora=True, or merge the adapter (merge_and_unload)."
    )


def _refuse_other_vocabulary(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    """Refuse a tokenizer with more tokens than the model, which would fail on some texts."""
    try:
        rows = model.get_input_embeddings().weight.shape[0]
    except (NotImplementedError, AttributeError):
        return
    highest = max(tokenizer.get_vocab().values(), default=0)
    if rows and highest >= rows:
        raise ModelError(
            f"The tokenizer has tokens up to {highest}, but the model in {folder} has {rows}: use the "
            f"tokenizer that belongs to the model (tokenizer_name=None)"
        )


def bound_tokenizer(
    tokenizer: PreTrainedTokenizerBase, tokenize_args: dict[str, Any]
) -> PreTrainedTokenizerBase:
    """Return a copy of the tokenizer whose calls default to ``tokenize_args`` and truncation.

    A text without tokens gets one that stands in for it.
    Not every pipeline passes arguments on to its tokenizer, and no pipeline truncates by default.
    """
    defaults = {"truncation": True, **tokenize_args}
    token = stand_in(tokenizer)

    def call(_: Any, tokenize: Any, /, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1:
            args = split_pair(args[0])
        # A child that is forked during the call would find the tokenizer locked.
        with not_forked():
            return with_tokens(tokenize(*args, **{**defaults, **kwargs}), token)

    return copy_overriding(tokenizer, "__call__", call)


def make_pipeline(
    task: Task, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Pipeline:
    """Return the Hugging Face pipeline of a task, made from objects so that no path is read again."""
    from transformers import pipeline

    require_prediction(task)
    return pipeline(
        model=model,
        tokenizer=bound_tokenizer(tokenizer, task.tokenize_args),
        device=model.device,
        **(task.pipeline_args or {}),
    )
