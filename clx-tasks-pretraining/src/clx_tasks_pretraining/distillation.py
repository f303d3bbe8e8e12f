"""The task ``distill-mlm``: a small language model learns from a large one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.problems import cell
from clx_tasks_pretraining.layers import cut_layers
from clx_tasks_pretraining.masked import MaskedLanguageModelRun

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_GENERATION = "clx_generation"
"""The entry of a student's configuration that tells it from its base model."""


class DistilledLanguageModelRun(MaskedLanguageModelRun):
    """A smaller student of a masked language model, which learns from unlabeled texts.

    Data and predictions are those of the task ``mlm``. The teacher is the base model. The student starts
    with some of its layers, or with random weights (``model_args={"config": {...}}``).

    Args:
        run_name: the name of the run, see :class:`clx.ml.TrainingRun`.
        student_layers: how many of the base model's layers the student starts with, evenly spaced;
            None takes half of them.
        temperature: divides the logits of both models before they are compared, more than 0.
        teacher_weight: the weight of the divergence from the teacher's predictions.
        masking_weight: the weight of the loss of the masked tokens.
        hidden_weight: the weight of the distance of the last hidden states.
        **options: the options of :class:`MaskedLanguageModelRun`.
    """

    name = "distill-mlm"
    add_config_attrs = [
        *MaskedLanguageModelRun.add_config_attrs,
        "student_layers",
        "temperature",
        "teacher_weight",
        "masking_weight",
        "hidden_weight",
        "generation",
    ]
    generation: int | None = None
    """The number of distillations since the last model that is not a student; set by the training."""

    def __init__(
        self,
        run_name: str | None = None,
        *,
        student_layers: int | None = None,
        temperature: float = 2.0,
        teacher_weight: float = 5.0,
        masking_weight: float = 2.0,
        hidden_weight: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(run_name, **options)
        self.student_layers = student_layers
        self.temperature = temperature
        self.teacher_weight = teacher_weight
        self.masking_weight = masking_weight
        self.hidden_weight = hidden_weight
        self.teacher: PreTrainedModel | None = None
        """The base model, while the run trains."""

    @property
    def trainer_class(self) -> Any:
        """The Trainer whose loss needs the teacher."""
        from clx_tasks_pretraining.trainers import DistillingTrainer

        return DistillingTrainer

    def check_config(self) -> list[str]:
        """Return the problems of the options."""
        problems = super().check_config()
        layers = self.student_layers
        if layers is not None and (
            isinstance(layers, bool) or not isinstance(layers, int) or layers < 1
        ):
            problems.append(f"student_layers must be an int of at least 1, but is {cell(layers)}")
        if not _is_number(self.temperature) or not self.temperature > 0:
            problems.append(f"temperature must be more than 0, but is {cell(self.temperature)}")
        weights = ("teacher_weight", "masking_weight", "hidden_weight")
        problems += [
            f"{name} must be a number of at least 0, but is {cell(getattr(self, name))}"
            for name in weights
            if not _is_number(getattr(self, name)) or not getattr(self, name) >= 0
        ]
        if not problems and not self.teacher_weight and not self.hidden_weight:
            problems.append(
                "teacher_weight and hidden_weight are both 0: nothing would be learned from the "
                "teacher; the task 'mlm' trains without one"
            )
        return problems

    def load_model(self, model_name: str | None = None) -> PreTrainedModel:
        """Return the student in a folder, or a new student of the base model in it."""
        from transformers import AutoConfig, AutoModelForMaskedLM

        generation = getattr(AutoConfig.from_pretrained(model_name), _GENERATION, 0)
        if generation == self.generation:
            return super().load_model(model_name)

        arguments = {k: v for k, v in self.model_args.items() if k != "config"}
        self.teacher = AutoModelForMaskedLM.from_pretrained(model_name, **arguments)
        self.teacher.eval().requires_grad_(False)
        student = super().load_model(model_name)
        if "config" not in self.model_args:
            cut_layers(student, self.student_layers)
        self.generation = generation + 1
        setattr(student.config, _GENERATION, self.generation)
        return student


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
