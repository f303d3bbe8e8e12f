"""The engine behind predict: equal to the pipeline's own way, tokenised once, whatever the task."""

import copy
import gc
import os
import random
import weakref

import pytest
import torch
from transformers import (
    AutoModelForTokenClassification,
    BertConfig,
    BertForTokenClassification,
    Pipeline,
    TextClassificationPipeline,
)

from clx.errors import OutOfMemoryError
from clx.ml import TrainingRun, training_run
from clx.ml.data.token_counts import TokenCounts, watched_copy, watching
from clx.ml.prediction.pipe_engine import PipeEngine
from clx_runtime.batches import BATCH_COSTS, TOKEN_BUDGETS, batches, padded, window_size
from conftest import ANIMALS, FRUIT, mixed_texts


@pytest.fixture
def run(trained):
    return training_run(load=trained)


def assert_equal_outputs(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, dict):
            one, other = [one], [other]
        assert [e["label"] for e in one] == [e["label"] for e in other]
        assert [e["score"] for e in one] == pytest.approx([e["score"] for e in other], abs=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"top_k": None},
        {"top_k": 1},
        {"top_k": 2},
        {},
        {"top_k": None, "function_to_apply": "sigmoid"},
        {"top_k": None, "function_to_apply": "none"},
        {"function_to_apply": "softmax"},
        {"top_k": None, "max_length": 5},
        {"top_k": None, "padding": "max_length"},
    ],
    ids=str,
)
@pytest.mark.parametrize("batch_size", [None, 7])
def test_fast_path_gives_what_the_pipeline_gives(run, arguments, batch_size, monkeypatch):
    texts = mixed_texts()
    expected = run.pipe(texts, **arguments)
    engine = PipeEngine(run.pipe, batch_size)
    monkeypatch.setattr(TextClassificationPipeline, "postprocess", None)
    assert_equal_outputs(engine(texts, arguments), expected)


@pytest.mark.parametrize("problem", ["multi_label_classification", "regression", None])
def test_scores_follow_the_problem_type(run, problem):
    run.model.config.problem_type = problem
    texts = mixed_texts(20)
    expected = run.pipe(texts, top_k=None)
    assert_equal_outputs(PipeEngine(run.pipe, None)(texts, {"top_k": None}), expected)


def test_the_side_of_the_padding_is_the_tokenizers(run):
    texts, scoring = ["cat", "the dog eats the apple"], {"top_k": None, "function_to_apply": "none"}
    padded_right = run.pipe(texts, batch_size=2, **scoring)
    run.pipe.tokenizer.padding_side = "left"
    # BERT counts positions from the left: the same two texts have to be in one batch.
    expected = run.pipe(texts, batch_size=2, **scoring)
    assert expected[0][0]["score"] != pytest.approx(padded_right[0][0]["score"], abs=1e-4)
    assert_equal_outputs(PipeEngine(run.pipe, 2)(texts, scoring), expected)


@pytest.mark.parametrize("batch_size", [None, 5])
def test_no_text_is_tokenised_twice(run, batch_size, monkeypatch):
    given = []
    original = type(run.tokenizer).__call__

    def counting(self, text, *args, **kwargs):
        given.extend([text] if isinstance(text, str) else text)
        return original(self, text, *args, **kwargs)

    monkeypatch.setattr(type(run.tokenizer), "__call__", counting)
    texts = mixed_texts(100)
    long = sum(len(text.split()) > 62 for text in texts)
    with pytest.warns(match=f"{long} of {len(texts)} texts in the input are longer than 64"):
        run.predict(texts, batch_size=batch_size)
    assert sorted(given) == sorted(set(texts))


class ShoutingPipeline(TextClassificationPipeline):
    """A pipeline of a task's own; its steps have to be used."""

    def preprocess(self, inputs, **kwargs):
        return super().preprocess(inputs + " cat", **kwargs)

    def postprocess(self, model_outputs, **kwargs):
        entries = super().postprocess(model_outputs, **kwargs)
        return [{**entry, "label": entry["label"].upper()} for entry in entries]


class OwnRowsPipeline(ShoutingPipeline):
    """One that makes its rows itself."""

    def get_iterator(self, inputs, *args):
        return super().get_iterator([text + " dog" for text in inputs], *args)


@pytest.mark.parametrize("kind", [ShoutingPipeline, OwnRowsPipeline])
@pytest.mark.parametrize("batch_size", [None, 1, 5])
def test_pipelines_of_a_tasks_own_are_used_as_they_are(run, kind, batch_size):
    pipe = kind(model=run.model, tokenizer=run.pipe.tokenizer, device=run.model.device)
    texts = mixed_texts(60)
    expected = pipe(texts, top_k=None)
    assert_equal_outputs(PipeEngine(pipe, batch_size)(texts, {"top_k": None}), expected)


def test_a_method_replaced_on_the_pipeline_itself_is_used(run):
    stock = run.pipe.postprocess
    run.pipe.postprocess = lambda outputs, **kwargs: stock(outputs, **kwargs)[:1]
    assert [len(entries) for entries in PipeEngine(run.pipe, None)(["cat"], {"top_k": None})] == [1]


def test_a_pipelines_own_call_decides(run):
    class Reversed(TextClassificationPipeline):
        def __call__(self, inputs, **kwargs):
            return [{"reversed": text[::-1]} for text in inputs]

    pipe = Reversed(model=run.model, tokenizer=run.pipe.tokenizer, device=run.model.device)
    assert PipeEngine(pipe, None)(["ab", "cde"], {}) == [{"reversed": "ba"}, {"reversed": "edc"}]


# ---- Pipelines with several rows for one input ---------------------------------------------------


@pytest.fixture
def tagger(run):
    """A token classification pipeline with windows of twelve tokens."""
    from transformers import pipeline

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 64, "max_position_embeddings": 64}
    config = BertConfig(vocab_size=len(run.tokenizer), num_labels=3, **sizes)
    return pipeline(
        "token-classification",
        model=BertForTokenClassification(config).eval(),
        tokenizer=run.pipe.tokenizer,
        aggregation_strategy="simple",
        device="cpu",
    )


@pytest.mark.parametrize("batch_size", [None, 1, 4])
@pytest.mark.parametrize("stride", [None, 2])
def test_pipelines_that_make_chunks_of_a_text(tagger, batch_size, stride):
    texts = [text or "cat" for text in mixed_texts(40)]
    if stride:
        tagger.tokenizer.model_max_length = 12
    arguments = {} if stride is None else {"stride": stride}
    expected = tagger(texts, **arguments)
    engine = PipeEngine(tagger, batch_size)
    outputs = engine(texts, arguments)
    assert len(outputs) == len(texts)
    for ours, theirs in zip(outputs, expected, strict=True):
        assert [(e["word"], e["start"], e["end"], e["entity_group"]) for e in ours] == [
            (e["word"], e["start"], e["end"], e["entity_group"]) for e in theirs
        ]
        assert [e["score"] for e in ours] == pytest.approx([e["score"] for e in theirs], abs=1e-5)
    # With a stride the rest of a text is a chunk of its own: nothing is lost.
    assert any(engine.cut() or ()) == (stride is None)


@pytest.mark.parametrize("stride", [None, 2])
def test_other_pipelines_tokenize_once_and_make_batches_of_similar_token_counts(
    tagger, stride, monkeypatch
):
    texts = sorted({text or "cat" for text in mixed_texts(200)})
    tokenized, shapes = [], []
    original = type(tagger.tokenizer).__call__

    def counting(self, text, *args, **kwargs):
        tokenized.append(text)
        return original(self, text, *args, **kwargs)

    monkeypatch.setattr(type(tagger.tokenizer), "__call__", counting)
    if stride:
        tagger.tokenizer.model_max_length = 12
    tagger.model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    arguments = {} if stride is None else {"stride": stride}
    PipeEngine(tagger, None)(texts, arguments)
    assert sorted(tokenized) == texts
    assert all(rows == 1 or rows * tokens <= TOKEN_BUDGETS["cpu"] for rows, tokens in shapes)
    assert max(rows for rows, _ in shapes) > 10
    longest = [tokens for _, tokens in shapes]
    assert stride or longest == sorted(longest, reverse=True)


def test_tokenizers_keep_their_threads(tagger, monkeypatch):
    for value in (None, "true"):
        if value is None:
            monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
        else:
            monkeypatch.setenv("TOKENIZERS_PARALLELISM", value)
        PipeEngine(tagger, None)(["cat", "the big dog"], {})
        assert os.environ.get("TOKENIZERS_PARALLELISM") == value


@pytest.mark.parametrize("stock", [True, False])
def test_an_engine_holds_no_model_once_it_is_gone(run, tagger, stock):
    pipe = copy.copy(run.pipe if stock else tagger)
    pipe.model = copy.deepcopy(pipe.model)
    engine = PipeEngine(pipe, None)
    engine(["cat", "the big dog"], {})
    model = weakref.ref(pipe.model)
    gc.disable()
    try:
        del pipe, engine
        assert model() is None
    finally:
        gc.enable()


class TaggingRun(TrainingRun):
    """A task whose pipeline is token classification."""

    name = "tagging"
    pipeline_args = {"task": "token-classification", "aggregation_strategy": "none"}

    def validate_data_format(self, data):
        pass

    def load_model(self, model_name=None):
        return AutoModelForTokenClassification.from_pretrained(
            model_name, num_labels=2, **self.model_args
        )

    def tokenize(self, examples):
        words = [text.split() for text in examples["text"]]
        rows = self.tokenizer(words, is_split_into_words=True, truncation=True)
        rows["labels"] = [
            [-100 if i is None else int(words[n][i] in FRUIT) for i in rows.word_ids(n)]
            for n in range(len(words))
        ]
        return rows

    def load_data_collator(self):
        from transformers import DataCollatorForTokenClassification

        return DataCollatorForTokenClassification(self.tokenizer)


def test_a_token_classification_task_trains_and_predicts(tiny_model, fruit):
    run = TaggingRun(
        "tags",
        base_model_name=tiny_model,
        training_args={"num_train_epochs": 30, "learning_rate": 5e-3, "disable_tqdm": True},
    )
    result = run.train(fruit.drop_duplicates("text"))
    assert result.truncated == {"train": 0}
    texts = ["the apple eats a cat", "dog", "a cherry and the big melon is a grape"]
    predicted = run.predict([*texts, *texts])
    assert predicted[:3] == predicted[3:]
    found = [[e["word"] for e in entries if e["entity"] == "LABEL_1"] for entries in predicted[:3]]
    assert found == [["apple"], [], ["cherry", "melon", "grape"]]


def test_a_batch_that_memory_is_too_small_for_is_halved_unless_its_size_was_chosen(run):
    texts = mixed_texts(40)
    expected = run.pipe(texts, top_k=None)
    forward, sizes = run.model.forward, []

    def small_memory(*args, **kwargs):
        sizes.append(len(kwargs["input_ids"]))
        if sizes[-1] > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(*args, **kwargs)

    run.model.forward = small_memory
    assert_equal_outputs(PipeEngine(run.pipe, None)(texts, {"top_k": None}), expected)
    assert max(sizes) > 3
    with pytest.raises(OutOfMemoryError, match="batch_size=4"):
        run.predict(texts, batch_size=8)


# ---- Batches and counts --------------------------------------------------------------------------


def test_batches_hold_every_text_once_within_the_budget():
    rng = random.Random(0)
    lengths = [rng.randint(1, 512) for _ in range(500)]
    made = list(batches(lengths, "cpu"))
    assert sorted(position for batch in made for position in batch) == list(range(500))
    for batch in made:
        size = max(lengths[position] for position in batch) * len(batch)
        assert size <= TOKEN_BUDGETS["cpu"] or len(batch) == 1
    assert max(map(len, batches(lengths, "cuda"))) > max(map(len, made))


def test_a_given_batch_size_is_the_number_of_texts():
    assert [len(batch) for batch in batches([5, 500, 3, 7, 9], "cpu", 2)] == [2, 2, 1]
    assert next(iter(batches([5, 500, 3], "cpu", 2))) == [1, 0]


def _cost(chosen, lengths):
    return sum(max(lengths[n] for n in batch) * len(batch) + BATCH_COSTS["cpu"] for batch in chosen)


def _all_partitions(items):
    if not items:
        yield []
        return
    for size in range(1, len(items) + 1):
        for rest in _all_partitions(items[size:]):
            yield [items[:size], *rest]


@pytest.mark.parametrize("seed", range(10))
def test_few_texts_are_batched_at_the_lowest_cost(seed):
    lengths = random.Random(seed).choices(range(1, 200), k=9)
    order = sorted(range(9), key=lambda n: -lengths[n])
    allowed = [
        each
        for each in _all_partitions(order)
        if all(len(b) == 1 or lengths[b[0]] * len(b) <= 384 for b in each)
    ]
    made = list(batches(lengths, "cpu"))
    assert sorted(n for batch in made for n in batch) == list(range(9))
    assert _cost(made, lengths) == min(_cost(each, lengths) for each in allowed)


def test_a_long_text_does_not_pad_the_short_ones():
    assert list(batches([100, 3, 3, 3], "cpu")) == [[0], [1, 2, 3]]
    assert list(batches([5, 4, 3, 3], "cpu")) == [[0, 1, 2, 3]]
    assert list(batches([], "cpu")) == []


def test_rows_are_padded_on_the_side_that_is_asked_for():
    assert padded([[1, 2], [3]], 0, "right").tolist() == [[1, 2], [3, 0]]
    assert padded([[1, 2], [3]], 9, "left").tolist() == [[1, 2], [9, 3]]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("padding", [False, True, "max_length"])
@pytest.mark.parametrize("stride", [0, 3])
def test_lengths_before_cutting_are_those_of_a_call_that_does_not_cut(run, side, padding, stride):
    texts = [text for text in mixed_texts(60) if text]
    tokenizer = run.tokenizer
    tokenizer.truncation_side = side
    expected = [len(ids) for ids in tokenizer(texts, truncation=False)["input_ids"]]
    counts = TokenCounts()
    watched = watched_copy(tokenizer, counts)
    watched(texts, truncation=True, max_length=20, padding=padding, stride=stride)
    watched(texts[0], truncation=True, max_length=20)
    assert counts.lengths == [*expected, expected[0]]
    assert counts.cut == [size > 20 for size in counts.lengths]
    assert counts.complete


def test_pairs_are_counted_and_a_cut_pair_has_no_length(run):
    with watching(run.tokenizer) as seen:
        run.tokenizer(["cat", "cat " * 90], ["dog", "dog " * 90], truncation=True)
    assert seen.cut == [False, True]
    assert seen.lengths == [5, None]
    run.tokenizer(["cat"])
    assert len(seen.cut) == 2


def test_a_pipeline_stays_as_it_was(run):
    before = dict(vars(run.pipe))
    run.predict([text for text in mixed_texts(30) if len(text.split()) < 60])
    assert dict(vars(run.pipe)) == before
    assert isinstance(run.pipe, Pipeline)


def test_memory_does_not_grow_with_the_texts(run):
    import tracemalloc

    def texts(count):
        return (f"{FRUIT[n % 6]} {ANIMALS[n // 6 % 6]} and {n}" for n in range(count))

    # Both counts are more than a window of texts, which is larger on a GPU.
    window = window_size(run.model.device.type, None)
    for _ in run.predict_iter(texts(3 * window)):
        pass
    tracemalloc.start()
    try:
        peaks = []
        for count in (2 * window, 8 * window):
            tracemalloc.reset_peak()
            for _ in run.predict_iter(texts(count)):
                pass
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
