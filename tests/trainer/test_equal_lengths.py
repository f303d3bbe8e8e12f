"""A batch that is computed by length gives the same outputs as its rows alone, of any kind."""

from types import SimpleNamespace

import pytest
import torch
from transformers.modeling_outputs import TokenClassifierOutput

from clx.ml.data.equal_lengths import EQUAL_LENGTHS
from clx.ml.trainer.equal_lengths import LENGTHS, split_by_length
from clx_runtime.batches import batches

ROWS = [[1, 2, 3], [4], [5, 6], [7]]


class Model:
    """Its scores depend on the width of the batch; one score per row, or per token."""

    def __init__(self, marked=True, per_token=False):
        self.config = SimpleNamespace(clx_batching=EQUAL_LENGTHS if marked else None)
        self.per_token, self.widths = per_token, []

    def forward(self, input_ids, attention_mask=None, labels=None):
        self.widths.append(input_ids.shape[1])
        scores = input_ids.float().unsqueeze(-1).repeat(1, 1, 2) * input_ids.shape[1]
        logits = scores if self.per_token else scores.sum(dim=1)
        loss = None if labels is None else (logits.sum(dim=-1) - labels.float().sum(-1)).mean()
        return TokenClassifierOutput(loss=loss, logits=logits)


def collate(rows, side="right"):
    width = max(map(len, (row["input_ids"] for row in rows)))
    ids = [
        row["input_ids"] + [0] * (width - len(row["input_ids"])) for row in rows
    ] if side == "right" else [
        [0] * (width - len(row["input_ids"])) + row["input_ids"] for row in rows
    ]  # fmt: skip
    batch = {"input_ids": torch.tensor(ids)}
    if "labels" in rows[0]:
        batch["labels"] = torch.tensor([row["labels"] for row in rows])
    return batch


def split(model, side="right"):
    trainer = SimpleNamespace(model=model, data_collator=lambda rows: collate(rows, side))
    split_by_length(trainer, side)
    return trainer


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("per_token", [False, True])
def test_logits_are_those_of_rows_alone_in_their_order(side, per_token):
    model = Model(per_token=per_token)
    trainer = split(model, side)
    output = model.forward(**trainer.data_collator([{"input_ids": row} for row in ROWS]))
    assert sorted(model.widths) == [1, 2, 3]
    for row, logits in zip(ROWS, output.logits, strict=True):
        (alone,) = Model(per_token=per_token).forward(torch.tensor([row])).logits
        if per_token:
            logits = logits[: len(row)] if side == "right" else logits[3 - len(row) :]
        assert torch.equal(logits, alone)


def test_the_loss_is_the_mean_over_rows_and_its_labels_stay_whole():
    # As many labels as the longest row has tokens.
    rows = [{"input_ids": row, "labels": [1.0, 0.0, 2.0]} for row in ROWS]
    model = Model()
    trainer = split(model)
    output = model.forward(**trainer.data_collator(rows))
    alone = [Model().forward(**collate([row])).loss for row in rows]
    assert output.loss == pytest.approx(float(sum(alone)) / len(alone))


def test_other_models_are_left_alone():
    model = Model(marked=False)
    trainer = split(model)
    assert LENGTHS not in trainer.data_collator([{"input_ids": [1]}])
    assert "forward" not in vars(model)


def test_batches_of_equal_lengths_hold_all_texts():
    lengths = [3, 1, 2, 3, 1, 1]
    made = list(batches(lengths, "cpu", 2, equal=True))
    assert sorted(position for batch in made for position in batch) == list(range(len(lengths)))
    assert all(len({lengths[position] for position in batch}) == 1 for batch in made)
    assert max(map(len, made)) == 2
    assert len(list(batches(lengths, "cpu", 6))) == 1
