"""The order of training rows, and the order of evaluated rows given back."""

import numpy as np
import pytest
from datasets import Dataset

from clx.ml.data.lengths import input_lengths
from clx.ml.trainer.sampling import LengthGroupedSampler, restored, sorted_by_length

LENGTHS = np.random.default_rng(0).integers(3, 200, size=1003).tolist()


def batches(sampler, size=16):
    rows = list(sampler)
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def test_every_row_once_an_epoch():
    sampler = LengthGroupedSampler(LENGTHS, 16, seed=1)
    assert sorted(sampler) == list(range(1003))
    assert len(sampler) == 1003


def test_batches_hold_like_lengths_and_padding_is_little():
    def padding(order):
        return sum(max(LENGTHS[i] for i in b) * len(b) - sum(LENGTHS[i] for i in b) for b in order)

    grouped = padding(batches(LengthGroupedSampler(LENGTHS, 16, seed=1)))
    shuffled = np.random.default_rng(1).permutation(1003).tolist()
    assert grouped < 0.15 * padding([shuffled[i : i + 16] for i in range(0, 1003, 16)])


def test_longest_row_comes_first_and_the_incomplete_batch_last():
    sampler = LengthGroupedSampler(LENGTHS, 16, seed=3)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        order = batches(sampler)
        assert LENGTHS[order[0][0]] == max(LENGTHS[i] for b in order[:-1] for i in b)
        assert [len(batch) for batch in order] == [16] * 62 + [11]


def test_order_depends_on_seed_and_epoch_alone():
    one, same, other = (LengthGroupedSampler(LENGTHS, 16, seed=seed) for seed in (1, 1, 2))
    first = list(one)
    assert first == list(same) == list(one)
    assert first != list(other)
    one.set_epoch(1)
    assert first != list(one)
    one.set_epoch(0)
    assert first == list(one)


def test_batches_do_not_come_in_order_of_length():
    order = batches(LengthGroupedSampler(LENGTHS, 16, seed=1))[1:-1]
    means = [np.mean([LENGTHS[i] for i in batch]) for batch in order]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.4


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 32])
def test_few_rows(rows):
    sampler = LengthGroupedSampler(LENGTHS[:rows], 16, seed=1)
    assert sorted(sampler) == list(range(rows))


def test_sorting_a_dataset_and_restoring_its_order():
    rows = [[1] * n for n in (3, 9, 1, 9, 5)]
    dataset = Dataset.from_dict({"input_ids": rows, "labels": [0, 1, 2, 3, 4]})
    assert input_lengths(dataset) == [3, 9, 1, 9, 5]
    ordered, where = sorted_by_length(dataset)
    assert [len(ids) for ids in ordered["input_ids"]] == [9, 9, 5, 3, 1]
    labels = np.array(ordered["labels"])
    assert restored(labels, where).tolist() == [0, 1, 2, 3, 4]
    nested = restored((labels, {"a": labels}, None), where)
    assert nested[0].tolist() == nested[1]["a"].tolist() == [0, 1, 2, 3, 4]
    assert nested[2] is None


# ---- Evaluation inside a training ----------------------------------------------------------------


def _training(tiny_model, trainer_class=None, **arguments):
    """Train one step and evaluate; return what compute_metrics was given, and the batches' lengths."""
    from clx.ml import training_run
    from clx.ml.trainer.trainer import Fitting, make_trainer

    run = training_run(
        "classification", "order", base_model_name=tiny_model, label_names=["a", "b"]
    )
    if trainer_class is not None:
        run.trainer_class = trainer_class
    rows = [{"input_ids": [2, *[5] * (n % 9), 3], "labels": n % 2} for n in range(21)]
    dataset = Dataset.from_list([{**r, "attention_mask": [1] * len(r["input_ids"])} for r in rows])
    given, lengths = [], []

    def metrics(prediction):
        given.append(prediction)
        return {"right": 1.0}

    model = run.load_model(str(tiny_model))
    model.register_forward_pre_hook(
        lambda module, args, kwargs: lengths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    arguments = {"per_device_eval_batch_size": 4, "report_to": "none", "use_cpu": True, **arguments}
    fitting = Fitting(eval_set=dataset, compute_metrics=metrics)
    trainer = make_trainer(run, run.tokenizer, model, arguments, run.run_dir, fitting)
    return trainer, dataset, given, lengths


def test_evaluation_is_sorted_and_metrics_see_the_order_of_the_data(tiny_model):
    trainer, dataset, given, lengths = _training(tiny_model, include_for_metrics=["inputs", "loss"])
    trainer.evaluate()
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[-1]
    assert given[0].label_ids.tolist() == [n % 2 for n in range(21)]
    kept = [(row >= 0).sum() - (row == 0).sum() for row in given[0].inputs]
    assert [int(size) for size in kept] == [len(ids) for ids in dataset["input_ids"]]
    assert len(given[0].losses) == 21
    output = trainer.predict(dataset)
    assert output.label_ids.tolist() == [n % 2 for n in range(21)]
    one_by_one = [trainer.predict(dataset.select([n])).predictions[0] for n in range(21)]
    assert output.predictions == pytest.approx(np.array(one_by_one), abs=1e-5)


def test_evaluation_keeps_the_datas_order_where_it_could_not_be_restored(tiny_model):
    trainer, _, given, lengths = _training(tiny_model, eval_do_concat_batches=False)
    trainer.evaluate()
    assert lengths != sorted(lengths, reverse=True)
    flat = np.concatenate(given[0].label_ids)
    assert flat.tolist() == [n % 2 for n in range(21)]


def test_evaluation_drops_no_batch_and_training_does(tiny_model):
    trainer, dataset, given, _ = _training(tiny_model, dataloader_drop_last=True)
    trainer.evaluate()
    assert given[0].label_ids.tolist() == [n % 2 for n in range(21)]
    assert len(trainer.predict(dataset).predictions) == 21
    trainer.train_dataset = dataset
    assert trainer.args.dataloader_drop_last
    assert len(trainer.get_train_dataloader()) == 2


def test_a_trainer_with_an_evaluation_of_its_own_keeps_it(tiny_model):
    from torch.utils.data import SequentialSampler
    from transformers import Trainer

    class Own(Trainer):
        def _get_eval_sampler(self, eval_dataset):
            return SequentialSampler(eval_dataset)

    from clx.ml.trainer.trainer import predict_dataset

    trainer, dataset, given, lengths = _training(tiny_model, Own)
    trainer.evaluate()
    assert given[0].label_ids.tolist() == [n % 2 for n in range(21)]
    assert lengths != sorted(lengths, reverse=True)
    lengths.clear()
    prediction, loss = predict_dataset(trainer, dataset)
    assert lengths == sorted(lengths, reverse=True)
    assert prediction.label_ids.tolist() == [n % 2 for n in range(21)]
    assert loss > 0
