"""Names of arguments in other libraries, and what to write instead.

Users guess ``epochs``, ``lr`` or ``model_name``. A message that says what to write for a guess is
better than a list of names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from clx.problems import MAX_CELL, did_you_mean


def _each(words: str, meaning: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), meaning)


def _same(words: str) -> dict[str, str]:
    return {word: word for word in words.split()}


ENTRIES: Mapping[str, Mapping[str, str]] = {
    "training_args": {
        "batch_size": "per_device_train_batch_size",
        "train_batch_size": "per_device_train_batch_size",
        "eval_batch_size": "per_device_eval_batch_size",
        "epoch": "num_train_epochs",
        "epochs": "num_train_epochs",
        "max_epochs": "num_train_epochs",
        "n_epochs": "num_train_epochs",
        "num_epochs": "num_train_epochs",
        "train_epochs": "num_train_epochs",
        "steps": "max_steps",
        "num_train_steps": "max_steps",
        "lr": "learning_rate",
        "scheduler": "lr_scheduler_type",
        "lr_scheduler": "lr_scheduler_type",
        "warmup": "warmup_steps",
        "num_warmup_steps": "warmup_steps",
        "warmup_ratio": "warmup_steps",
        "wd": "weight_decay",
        "optimizer": "optim",
        "random_seed": "seed",
        "random_state": "seed",
        "gradient_accumulation": "gradient_accumulation_steps",
        "grad_clip": "max_grad_norm",
        "gradient_clip_val": "max_grad_norm",
        "label_smoothing": "label_smoothing_factor",
        "num_workers": "dataloader_num_workers",
        "no_cuda": "use_cpu",
        **_same(
            """activation_checkpointing bf16 eval_delay eval_steps eval_strategy evaluation_strategy fp16
            gradient_accumulation_steps gradient_checkpointing group_by_length
            label_smoothing_factor learning_rate load_best_model_at_end logging_steps
            lr_scheduler_type max_grad_norm max_steps metric_for_best_model num_train_epochs optim
            per_device_eval_batch_size per_device_train_batch_size report_to save_steps
            save_strategy save_total_limit seed tf32 torch_compile use_cpu warmup_steps
            weight_decay dataloader_num_workers disable_tqdm"""
        ),
    },
    "tokenize_args": {
        "max_len": "max_length",
        "max_seq_len": "max_length",
        "max_seq_length": "max_length",
        "max_sequence_length": "max_length",
        "max_tokens": "max_length",
        "doc_stride": "stride",
        **_same("max_length padding stride truncation"),
    },
    "model_args": {
        "torch_dtype": "dtype",
        "dropout": "hidden_dropout_prob",
        **_same("attn_implementation dtype hidden_dropout_prob"),
    },
}
"""Option whose value is a dict → guess → the entry that it means."""

OPTION_GUESSES: Mapping[str, str] = {
    **_each(
        """backbone base_model checkpoint encoder model model_checkpoint model_id model_name
        model_name_or_path model_path pretrained_model pretrained_model_name
        pretrained_model_name_or_path""",
        "base_model_name",
    ),
    **_each("tokenizer tokenizer_name_or_path", "tokenizer_name"),
    **_each(
        "class_names classes id2label label_list label_names labels target_names",
        "label_names",
    ),
    **_each(
        "dir folder out_dir output_dir output_path parent root root_dir runs_dir save_dir",
        "run_dir_parent",
    ),
    **_each("name run experiment_name", "run_name"),
    **_each("text_col text_field text_key input_column", "text_column"),
    **_each("label_col label_field target target_col target_column", "label_column"),
    **_each("class_weight weights", "class_weights"),
    **_each("gpu cuda accelerator", "device"),
    **_each("threshold cutoff", "min_score"),
    "calibration": "calibrate",
    "metric": "metrics",
    "strict": "strict_data",
}
"""Guess → the option that it means."""

CALL_GUESSES: Mapping[str, str] = {
    **_each("train_data train_df train_dataset df", "run.train(train_data)"),
    **_each(
        """dev_data eval_data eval_dataset eval_df val_data val_dataset val_df valid_data
        validation_data validation_df""",
        "run.train(train_data, eval_data)",
    ),
    **_each(
        "eval_size test_size validation_split val_size",
        "run.train(train_data, eval_data=0.2)",
    ),
    **_each("overwrite overwrite_output_dir", "run.train(..., overwrite=True)"),
    **_each("resume resume_from_checkpoint", "run.train(..., resume=True)"),
    **_each("fine_tune finetune", "run.train(..., fine_tune=False)"),
    **_each("time_budget max_time time_limit", "run.train(..., time_budget='5m')"),
    **_each("callback callbacks", "run.train(..., callbacks=[...])"),
    "group_column": "run.train(..., group_column=...)",
    "time_column": "run.train(..., time_column=...)",
}
"""Guess → the call that takes it."""

OLD_NAMES: Mapping[str, str] = {
    **_each("lazy_tokenize tokenize_lazy", "training_run(..., tokenize_lazily=True)"),
    **_each(
        "model_dir run_dir run_path",
        "training_run(load=...) to open a saved run, or run_dir_parent= for the folder of new ones",
    ),
    **_each(
        "metrics_path results_file results_path",
        "run.results after the training, which is results.json in run.run_dir",
    ),
}
"""Word of older code, for an option or an argument of any method → today's."""

ARGUMENT_GUESSES: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(
        """dev_data eval_dataset eval_df eval_size test_size val_data val_dataset val_df valid_data
        validation_data validation_df validation_split""".split(),  # noqa: SIM905
        ("eval_data",),
    ),
    **dict.fromkeys(("train_df", "train_dataset", "df"), ("train_data", "data")),
    **dict.fromkeys(("dataset", "frame", "test_data", "test_df", "eval_data"), ("data",)),
    **dict.fromkeys(("inputs", "sentences", "text", "X", "x"), ("texts", "data")),
    **dict.fromkeys(("batch", "bs", "per_device_eval_batch_size"), ("batch_size",)),
    **dict.fromkeys(("threshold", "cutoff", "min_confidence"), ("min_score",)),
    **dict.fromkeys(("text_col", "text_field"), ("text_column",)),
    **dict.fromkeys(("label_col", "label_field", "target"), ("label_column",)),
    **dict.fromkeys(("sep", "delimiter"), ("separator",)),
    **dict.fromkeys(("k", "cv", "n_folds", "n_splits", "splits"), ("folds",)),
    **dict.fromkeys(("max_time", "time_limit", "timeout"), ("time_budget",)),
    **dict.fromkeys(("input", "input_file", "path"), ("source", "data")),
    **dict.fromkeys(("output", "output_file", "output_path", "out"), ("target",)),
    **dict.fromkeys(("top_k", "return_all_scores", "return_scores"), ("all_scores",)),
    "finetune": ("fine_tune",),
    "force": ("overwrite",),
    "overwrite_output_dir": ("overwrite",),
    "resume_from_checkpoint": ("resume",),
    "callback": ("callbacks",),
    "engine": ("backend",),
}
"""Guess → the arguments of methods that it may mean; a method has one of them at most."""

NOT_NEEDED: Mapping[str, str] = {
    **_each(
        "return_all_scores return_scores return_probs return_probabilities",
        "leave it out: predict() returns the scores, and predict_labels() the decisions",
    ),
    **_each(
        "n_classes num_classes num_labels",
        "leave it out: the labels come from the data, or from label_names",
    ),
    "problem_type": "leave it out: the task determines it",
    "label2id": "leave it out: the order of label_names determines the ids",
    "verbose": "leave it out, or hide the progress bars with training_args={'disable_tqdm': True}",
}
"""Guess → why it is not an option."""


def option_hint(name: str, given: Mapping[str, Any], accepted: Collection[str]) -> str:
    """Return what to write instead of an option that does not exist, as the end of a sentence.

    Args:
        name: the name that the user gave.
        given: all options that the user gave, with their values.
        accepted: the names of the options that exist.
    """
    for option, entries in ENTRIES.items():
        if name in entries and option in accepted:
            return f"; write {option}={_merged(option, given, accepted)}"
    meant = OPTION_GUESSES.get(name)
    if meant in accepted or meant == "run_name":
        return f"; write {meant}={shown(_names_of(given[name]) if name == 'id2label' else given[name])}"
    if name in CALL_GUESSES or name in OLD_NAMES:
        return f"; write {CALL_GUESSES.get(name) or OLD_NAMES[name]}"
    if name in NOT_NEEDED:
        return f"; {NOT_NEEDED[name]}"
    return did_you_mean(name, accepted)


def argument_meant(name: str, known: Collection[str]) -> str | None:
    """Return the argument of a method that another library calls ``name``, None if there is none."""
    return next((each for each in ARGUMENT_GUESSES.get(name, ()) if each in known), None)


def argument_hint(
    name: str, given: Mapping[str, Any], known: Collection[str], options: Collection[str]
) -> str:
    """Return what to write instead of an argument that a method does not have.

    Args:
        name: the name that the user gave.
        given: all keyword arguments that the user gave, with their values.
        known: the names of the method's arguments.
        options: the names of the run's options.
    """
    if meant := argument_meant(name, known):
        # The value of an old name may be the path of a checkpoint.
        return f"; write {meant}={True if meant == 'resume' else shown(given[name])}"
    if name in options:
        own = f"{name}={shown(given[name])}"
        return f"; write training_run(task, name, {own}): it is an option of the run"
    if name in OLD_NAMES:
        return f"; write {OLD_NAMES[name]}"
    if name in NOT_NEEDED:
        return f"; {NOT_NEEDED[name]}"
    if name not in CALL_GUESSES:
        hint = option_hint(name, {k: v for k, v in given.items() if k not in known}, options)
        if hint.startswith("; write "):
            return f"; write training_run(task, name, {hint[8:]}): it is an option of the run"
    return did_you_mean(name, known)


def entry_hint(option: str, name: str, known: Collection[str]) -> str:
    """Return what to write instead of an unknown entry of an option whose value is a dict."""
    meant = ENTRIES[option].get(name)
    if meant in known:
        return f"; write {meant!r}"
    for other, entries in ENTRIES.items():
        if other != option and name in entries:
            return f"; write {other}={{{entries[name]!r}: ...}}"
    return did_you_mean(name, known)


def _merged(option: str, given: Mapping[str, Any], accepted: Collection[str]) -> str:
    """Return the value of an option with all its entries, those that were given by guesses too."""
    own = given.get(option)
    entries = dict(own) if isinstance(own, Mapping) else {}
    for name, value in given.items():
        if name in ENTRIES[option] and name not in accepted:
            entries[ENTRIES[option][name]] = value
    return "{" + ", ".join(f"{key!r}: {shown(value)}" for key, value in entries.items()) + "}"


def _names_of(value: Any) -> Any:
    return list(value.values()) if isinstance(value, Mapping) else value


def shown(value: Any) -> str:
    """Return a value as code, or dots for one that is long or that has no code."""
    is_plain = isinstance(value, str | int | float | list | tuple | dict | None)
    text = repr(value) if is_plain else "..."
    return text if len(text) <= MAX_CELL else "..."
