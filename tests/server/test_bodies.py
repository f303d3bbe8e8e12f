"""The texts of requests, for runs that read one text and for runs that read a pair."""

import pytest

from clx_runtime.server.bodies import Inputs
from clx_runtime.server.limits import Limits
from clx_runtime.server.refusals import Refusal
from clx_runtime.texts import TextRow

ONE = Inputs(("text",), Limits(texts=3))
PAIR = Inputs(("first", "second"), Limits(texts=3))
ROW = TextRow(["a", "b"])


@pytest.mark.parametrize(
    ("inputs", "value", "texts", "single"),
    [
        (ONE, "a", ["a"], True),
        (ONE, ["a", "b"], ["a", "b"], False),
        (ONE, {"text": "a"}, ["a"], True),
        (ONE, [{"text": "a"}, "b"], ["a", "b"], False),
        (PAIR, ["a", "b"], [ROW], True),
        (PAIR, {"first": "a", "second": "b"}, [ROW], True),
        (PAIR, {"text": "a", "text_pair": "b"}, [ROW], True),
        (PAIR, [["a", "b"], {"first": "a", "second": "b"}], [ROW, ROW], False),
        (PAIR, [], [], False),
    ],
)
def test_texts(inputs, value, texts, single):
    assert inputs.texts(value, "texts") == (texts, single)


@pytest.mark.parametrize(
    ("inputs", "value", "texts", "single"),
    [
        (ONE, "a", ["a"], True),
        (ONE, ["a"], ["a"], True),
        (ONE, [["a"], ["b"]], ["a", "b"], False),
        (PAIR, ["a", "b"], [ROW], True),
        (PAIR, [["a", "b"], ["a", "b"]], [ROW, ROW], False),
    ],
)
def test_texts_in_the_form_of_text_embeddings_inference(inputs, value, texts, single):
    assert inputs.pairs(value, "inputs") == (texts, single)


@pytest.mark.parametrize(
    ("read", "value", "status", "message"),
    [
        (ONE.texts, None, 422, "inputs: must be a text or a list of texts"),
        (ONE.texts, [["a"]], 422, "inputs.0: must be a text"),
        (ONE.texts, ["a"] * 4, 413, "batch size 4"),
        (PAIR.texts, "a", 422, r"inputs: must be a list of 2 texts \(first, second\), or a list"),
        (PAIR.texts, ["a"], 422, "inputs: must be a list of 2 texts"),
        (PAIR.texts, [["a", "b"], ["a", 3]], 422, "inputs.1.1: must be a text"),
        (PAIR.texts, {"first": "a"}, 422, "inputs.1: must be a text"),
        (PAIR.pairs, "a", 422, "inputs: must be a list of 2 texts"),
        (PAIR.pairs, [["a", "b"], ["a"]], 422, "inputs.1: must be a list of 2 texts"),
        (ONE.pairs, [["a"], "b", 3], 422, "inputs.2: must be a text"),
        (ONE.pairs, [["a"], []], 400, "cannot be empty"),
        (ONE.pairs, [["a"]] * 4, 413, "batch size 4"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(read, value, status, message):
    with pytest.raises(Refusal, match=message) as refusal:
        read(value, "inputs")
    assert refusal.value.status == status
