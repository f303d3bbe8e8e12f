"""Train a small, fast student of a trained run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.data.frames import VALIDATION
from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import column_names, own_text_columns, validated_frame
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.machine.collecting import new_garbage_only
from clx.ml.run.estimating import EstimatingRun
from clx.ml.run.saved import open_saved
from clx.ml.run_directory.config import OF_TRAINING, TEMPERATURE, Origin, learned_of
from clx.ml.run_directory.downloaded import parent_for_next
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.students import refuse_student
from clx.ml.task.options import option_names, options_of_task
from clx_runtime.cascade import CASCADE
from clx_runtime.texts import columns_to_read

if TYPE_CHECKING:
    from clx.ml.distillation.distill import TeachingRun
    from clx.ml.results.distilled import Distillation


class DistillingRun(EstimatingRun):
    """A run that teaches a student."""

    def distill(
        self,
        texts: Any = None,
        name: str | None = None,
        student: str = "static",
        eval_data: Any = None,
        *,
        layers: int | None = None,
        dim: int = 256,
        int8: bool = True,
        max_texts: int = 500_000,
        augment: int | None = None,
        backend: str | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
        run_dir_parent: str | Path | None = None,
        overwrite: bool = False,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> Distillation:
        """Train a student on the answers of this run, and write it as a run of its own.

        This run scores each text once. The scores are kept in the cache folder, so an interrupted
        call continues. A tenth of the texts is set aside, and measures how often the student agrees
        with this run.

        Args:
            texts: texts like those that the student will read, without labels: a list, Series or
                generator, a table, or a source, as for :meth:`predict_file`.
            name: the name of the student; None makes one of this run's name and the kind.
            student: ``"static"`` for one vector per token, about 50 times faster; ``"layers"`` for
                this run's model with its first layers only.
            eval_data: labeled data, as for :meth:`evaluate`, to fit thresholds and calibration on
                and to evaluate the student. None fits them to the answers of this run.
            layers: the number of layers of ``student="layers"``, by default 3.
            dim: the size of a vector of a static student.
            int8: whether a static student's vectors have 8 bits; with 32, its file is four times as
                large.
            max_texts: stop reading after this number of different texts.
            augment: the number of variants of each text that the student also learns from, such as
                a text without some words. This run answers them too. 0 makes none; None makes up to
                4 for a static student, if it learns from at most 20,000 texts with them.
            backend: the backend that scores the texts, as for :meth:`predict`.
            batch_size: as for :meth:`predict`.
            seed: makes the student reproducible; None takes the seed of ``training_args``.
            run_dir_parent: the folder of the student; None takes this run's.
            overwrite: replace a trained run of this name.
            text_column: as for :meth:`evaluate`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            ConfigError: there are no texts, an argument is not valid, this run is a static student,
                or its task has no scores of labels.
            DataFormatError: the texts cannot be read, or are too few.
            NotTrainedError: there is no trained model, or no export for the backend.
            NotPublishedError: the written student does not predict like the trained one.
            RunExistsError: there is a run of this name.
        """
        reading = reading_of(separator, encoding, header)
        chosen = self._ready_backend(backend)
        if chosen == CASCADE:
            raise ConfigError(
                "A student learns from the run, and not from the student of its cascade: "
                "backend='torch' or one of the exports scores the texts"
            )
        directory = self._trained_directory()
        refuse_student(directory, "distill()")
        if texts is None:
            raise ConfigError(
                f"distill() needs texts: the run {self.run_name!r} does not keep those that it was "
                f"trained on. Pass texts like those that the student will read, such as "
                f"distill('texts.csv', name='fast'); they need no labels"
            )
        from clx.ml.distillation.distill import distill
        from clx.ml.distillation.request import (
            DEFAULT_LAYERS,
            Request,
            check_request,
            refuse_own_place,
        )
        from clx.ml.distillation.texts import text_source
        from clx.ml.distillation.training_texts import warn_if_training_texts

        request = Request(
            f"{self.run_name}-{student}" if name is None else name,
            parent_for_next(directory) if run_dir_parent is None else Path(run_dir_parent),
            student,
            DEFAULT_LAYERS if layers is None else layers,
            dim,
            int8,
            max_texts,
            augment,
            self.training_args.get("seed", 42) if seed is None else seed,
            overwrite,
            bool(self.training_args.get("disable_tqdm")),
        )
        check_request(request, layers)
        refuse_own_place(directory, request.parent / request.name)
        columns = column_names(self, text_column, label_column)
        frame = None
        if eval_data is not None:
            frame = validated_frame(self, eval_data, "eval_data", reading, columns, VALIDATION)
        with caller_state_kept(), new_garbage_only():
            look = partial(warn_if_training_texts, self.run_name, directory)
            teaching = self._teaching(chosen, batch_size, look)
            read = columns_to_read(own_text_columns(self), text_column)
            return distill(teaching, text_source(texts, read, reading), frame, request)

    def _teaching(
        self, backend: str, batch_size: int | None, look: Callable[[Sequence[str]], None]
    ) -> TeachingRun:
        """Return this run as a teacher."""
        from clx.ml.distillation.distill import TeachingRun
        from clx.ml.distillation.teacher import teacher_of

        directory = self._trained_directory()
        identity = self._clx_loaded.same_identity(directory)

        def predict(texts: Sequence[str]) -> Iterator[Any]:
            return self._predict(list(texts), batch_size, backend, {})

        config = directory.read_config()
        kept = {k: v for k, v in self._clx_state.extra.items() if k not in OF_TRAINING}
        kept |= {k: config[k] for k in OF_TRAINING - {TEMPERATURE} if config.get(k)}
        made_with = {k: v for k, v in learned_of(config).items() if k in option_names(self)}
        origin = self._origin()
        return TeachingRun(
            teacher_of(self, directory, identity, backend, predict),
            directory,
            self.tokenizer,
            lambda: self.model,
            self._student_task,
            Origin(
                origin.distribution,
                origin.version,
                {**options_of_task(self), **made_with},
                kept,
            ),
            self._reopened,
            look,
        )

    def _student_task(self, name: str, parent: Path) -> Any:
        """Return a copy of this run that has another name."""
        task = copy.copy(self)
        task.run_name, task.run_dir_parent = name, parent
        return task

    def _reopened(self, directory: RunDir) -> Callable[[list[str]], list[Any]]:
        """Open a student, and return its ``predict``."""
        run: Any = open_saved(DistillingRun, type(self), directory, None, self.trust_remote_code)
        predict: Callable[[list[str]], list[Any]] = run.predict
        return predict
