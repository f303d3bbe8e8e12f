"""The heads of one training: the first one and, if needed, a fresh one on a newly loaded base model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from clx.ml.data.splits import windows_of_split
from clx.ml.machine.distributed import broadcast
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.head.continued import EarlierRows, continue_head
from clx.ml.model.head.initialize import Head, prepare_head
from clx.ml.model.head.padding import batched_alike
from clx.ml.model.head.pooling import forget_pooling, layers_without_pooling
from clx.ml.model.head.request import HeadRequest
from clx.ml.model.loading import load_base_model
from clx.ml.task.lora_options import uses_lora
from clx.ml.training.earlier import keep_label_rows
from clx.ml.training.loss_weights import use_class_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer

    from clx.ml.model.head.label_texts import LabelTexts
    from clx.ml.training.earlier import Earlier
    from clx.ml.training.job import Job
    from clx.ml.training.plan import Plan


def base_model(job: Job, dropout: dict[str, float]) -> PreTrainedModel:
    """Return the base model without the given dropout, in fp32 unless the user set a dtype."""
    changed = dict.fromkeys(dropout, 0.0)
    continued = job.earlier is not None
    try:
        model = load_base_model(job.task, job.base, job.tokenizer, changed, continued)
    except TypeError:
        if not changed:
            raise
        # A task's load_model may not accept arguments that the user did not set.
        model = load_base_model(job.task, job.base, job.tokenizer, continued=continued)
    if layers := layers_without_pooling(model):
        changed = {**changed, **layers}
        model = load_base_model(job.task, job.base, job.tokenizer, changed, continued)
        forget_pooling(model)
    if job.earlier is not None:
        keep_label_rows(model, job.earlier)
    return model if {"dtype", "torch_dtype"} & set(job.task.model_args) else model.float()


class Heads:
    """Prepares the heads of one training: the first one and, if needed, a fresh one later."""

    def __init__(
        self, job: Job, trainer: Trainer, dropout: dict[str, float], texts: LabelTexts | None
    ) -> None:
        self.job, self.trainer, self.dropout, self.texts = job, trainer, dropout, texts
        task, rows = job.task, job.train.dataset
        # With "max", each logit comes from a single window, so the probe is fitted to windows.
        pooled = task.window_pooling != "max"
        self.windows = windows_of_split(task, job.train) if pooled else None
        self.label_weights = use_class_weights(task, trainer, rows, self.windows)
        self.collator = task.load_data_collator()

    def first(self, model: PreTrainedModel, resumed: Plan | None) -> Head:
        """Prepare the head that the training starts with."""
        call = self.job.call
        if self.job.earlier is not None:
            head = self._continued(model, self.job.earlier)
        else:
            head = self._new(model, resumed)
        if resumed is not None and call.fine_tune:
            head.init, head.C = resumed.init, resumed.C
            head.label_texts = resumed.label_texts
        return head

    def _new(self, model: PreTrainedModel, resumed: Plan | None) -> Head:
        task, call = self.job.task, self.job.call
        return self._prepare(
            model,
            pooling=task.pooling if resumed is None else resumed.pooling,
            # The weights of a resumed training's probe are in the checkpoint.
            init=task.head_init if self.job.resume_from is None else "random",
            find_layer=task.calibrate or not call.fine_tune or uses_lora(task),
        )

    def _continued(self, model: PreTrainedModel, earlier: Earlier) -> Head:
        """Prepare the head of a continued training, whose pooling is the earlier run's."""
        job = self.job
        head = self._prepare(model, pooling="model", init="random", find_layer=True)
        fits = head.layer is not None and head.kind is not None and head.reason is None
        # The weights of a resumed training's head are in the checkpoint.
        if not fits or job.task.head_init != "probe" or job.resume_from is not None:
            return head
        rows = EarlierRows(
            torch.tensor(list(earlier.label_rows(model))),
            torch.from_numpy(earlier.is_unseen(job.train.frame.index)),
        )
        request = self._request("model", "random", find_layer=True)
        with quiet_transformers():
            return continue_head(model, head, request, rows)

    def fresh(self, pooling: str) -> tuple[PreTrainedModel, Head]:
        """Return a newly loaded base model with a pooling, and its head."""
        model = base_model(self.job, self.dropout)
        batched_alike(model, self.trainer.model)
        return model, self._prepare(model, pooling=pooling, init="random", find_layer=True)

    def _prepare(
        self, model: PreTrainedModel, *, pooling: str, init: str, find_layer: bool
    ) -> Head:
        with quiet_transformers():
            return prepare_head(model, self._request(pooling, init, find_layer))

    def _request(self, pooling: str, init: str, find_layer: bool) -> HeadRequest:
        job = self.job
        return HeadRequest(
            job.base,
            job.train.dataset,
            self.collator,
            pooling=pooling,
            init=init,
            model_args=job.task.model_args,
            find_layer=find_layer,
            fine_tune=job.call.fine_tune,
            label_weights=self.label_weights,
            texts=self.texts,
            windows=self.windows,
            seed=job.seed,
        )

    def add_label_texts(self, head: Head) -> None:
        """Add the label texts that the probe was fitted to as rows of the fine-tuning.

        Without them, the fine-tuning would unlearn a label that only a description defines.
        """
        if self.texts is not None and broadcast(head.label_texts > 0):
            train = self.job.train
            rows = self.texts.added_to(train.dataset, head.kind == "multi")
            if train.lazy is None:
                self.trainer.train_dataset = rows
            else:
                texts = rows.select(range(len(train.dataset), len(rows)))
                self.trainer.train_dataset = train.lazy.dataset.with_more(texts)
