"""Add variants of the texts to a lesson that has few texts."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from clx.ml.data.lengths import cut_texts, input_limit
from clx.ml.data.text_hashes import text_hash
from clx.ml.distillation.texts import CHUNK
from clx.ml.distillation.variants import variants
from clx.ml.machine.progress import progress_bar
from clx_runtime.static_files import STATIC

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedTokenizerBase

    from clx.ml.distillation.gathering import Lesson
    from clx.ml.distillation.request import Request
    from clx.ml.distillation.teacher import Teacher

MOST_VARIANTS = 4
"""The number of variants of each of few texts."""

ENOUGH_TEXTS = 20_000
"""By default, there are no more variants than fill the texts up to this number."""


def variants_per_text(request: Request, texts: int) -> int:
    """Return how many variants of each text a student learns from.

    Args:
        request: the arguments of the call.
        texts: the number of texts that the student learns from.
    """
    if request.augment is not None:
        return request.augment
    if request.student != STATIC or not texts:
        # The other kind starts with what its teacher's layers know of words.
        return 0
    return min(MOST_VARIANTS, max(0, ENOUGH_TEXTS // texts - 1))


def augmented(
    lesson: Lesson,
    teacher: Teacher,
    tokenizer: PreTrainedTokenizerBase,
    request: Request,
    others: np.ndarray[Any, Any],
) -> Lesson:
    """Return a lesson with variants of the texts that are learned from, answered by the teacher.

    No text that is watched or set aside has variants. A variant is left out if it is one of the texts,
    or too long for the teacher.

    Args:
        lesson: the lesson.
        teacher: answers the variants.
        tokenizer: its tokenizer.
        request: the arguments of the call.
        others: the hashes of more texts that must not be learned from.
    """
    import numpy as np

    texts = [lesson.texts[row] for row in lesson.sides.learned]
    count = variants_per_text(request, len(texts))
    if not count:
        return lesson
    limit = input_limit(teacher.task, tokenizer)
    source = variants(texts, count, request.seed)
    seen = {*lesson.hashes.tolist(), *others.tolist()}
    made, hashes, scores = list[str](), list[int](), [lesson.scores]
    total = count * len(texts)
    with progress_bar(
        desc="variants", unit="texts", total=total, delay=1, disable=request.hidden
    ) as bar:
        while chunk := list(islice(source, CHUNK)):
            fresh = _fresh(chunk, cut_texts(tokenizer, chunk, limit), seen)
            if fresh:
                scores.append(teacher.scores(list(fresh.values())))
                made += fresh.values()
                hashes += fresh
            bar.update(len(chunk))
    first, last = len(lesson.texts), len(lesson.texts) + len(made)
    return replace(
        lesson,
        texts=[*lesson.texts, *made],
        scores=np.concatenate(scores),
        hashes=np.concatenate([lesson.hashes, np.array(hashes, dtype=np.uint64)]),
        sides=replace(lesson.sides, variants=np.arange(first, last)),
    )


def _fresh(chunk: list[str], cut: list[bool], seen: set[int]) -> dict[int, str]:
    """Return the usable texts by their hashes, and remember these.

    Args:
        chunk: the texts.
        cut: whether each is too long.
        seen: the hashes of the texts that must not occur again.
    """
    fresh = {}
    for text, is_cut in zip(chunk, cut, strict=True):
        digest = text_hash(text)
        if text.strip() and not is_cut and digest not in seen:
            seen.add(digest)
            fresh[digest] = text
    return fresh
