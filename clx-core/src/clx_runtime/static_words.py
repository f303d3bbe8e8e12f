"""The sums of the vectors of texts, word by word: a word that was seen before is not tokenized again.

Tokenization would take most of the time of a static student. The tokens of a text are those of its words
(the parts between spaces), and the student needs only their sum, so the sum of each word is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from clx_runtime.forks import renew_after_fork
from clx_runtime.static_tokens import StudentTokenizer, parts_of

if TYPE_CHECKING:
    import numpy as np

    Vectors = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
    """Returns vectors, shape (places, dim), for places, shape (places,)."""

KEPT_BYTES = 32 * 2**20
"""The limit for the kept sums of words. At the limit, all are dropped and new ones are kept."""

LONGEST_WORD = 64
"""The most characters of a word that is kept."""

BLOCK = 256
"""How many texts are added up together, so that their sums stay in the cache of the processor."""

FEW = 4
"""For this many texts or fewer, it is faster to add up each text separately."""


class WordSums:
    """The sums of the vectors of texts. Several threads may use it at once.

    Args:
        tokenizer: the student's tokenizer.
        vectors: returns the vectors of tokens by their ids.
        dim: the size of a vector.
    """

    def __init__(self, tokenizer: StudentTokenizer, vectors: Vectors, dim: int) -> None:
        import numpy as np

        self._tokenizer, self._vectors, self._dim = tokenizer, vectors, dim
        self._most = max(1024, KEPT_BYTES // (4 * dim))
        self._places: dict[str, int] = {}
        self._sums = np.empty((0, dim), dtype=np.float32)
        self._tokens = np.empty(0, dtype=np.int64)
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock, and forget the words: another thread may have been adding some."""
        self._lock = threading.Lock()
        self._places = {}

    def __call__(self, texts: Sequence[str]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the sum of each text's vectors, shape (texts, dim), and its number of tokens."""
        import numpy as np

        pieces = self._pieces(texts)
        sizes = np.fromiter(map(len, pieces), dtype=np.intp, count=len(pieces))
        words = list(chain.from_iterable(pieces))
        with self._lock:
            places = self._places_of(words)
            sums = added(self._sums.__getitem__, places, sizes, self._dim)
            # Each text has at least one piece, which may be empty.
            starts = np.cumsum(sizes) - sizes
            tokens = np.add.reduceat(self._tokens[places], starts) if words else self._tokens[:0]
        return sums, tokens

    def _pieces(self, texts: Sequence[str]) -> list[Sequence[str]]:
        if not self._tokenizer.by_word:
            return [parts_of(text) for text in texts]
        # The texts of a row are joined by line breaks, at which words end too.
        return [text.split(" ") for text in texts]

    def _places_of(self, words: Sequence[str]) -> np.ndarray[Any, Any]:
        """Return where the sum of each word is, after adding those of new words."""
        import numpy as np

        known = self._places
        places = np.fromiter(map(known.get, words, repeat(-1)), dtype=np.intp, count=len(words))
        missing = np.flatnonzero(places < 0)
        if len(missing):
            new = dict.fromkeys([words[place] for place in missing.tolist()])
            if len(known) + len(new) > self._most:
                known.clear()
                new, missing = dict.fromkeys(words), np.arange(len(words))
            at = self._learned(list(new))
            places[missing] = [at[words[place]] for place in missing.tolist()]
        return places

    def _learned(self, new: Sequence[str]) -> dict[str, int]:
        """Add the sums of new words, and return where each is.

        The sums of words that are not kept come last, and the next ones take their places.
        """
        kept = [w for w in new if len(w) <= LONGEST_WORD] if self._tokenizer.by_word else []
        stay = set(kept)
        ordered = [*kept, *(word for word in new if word not in stay)]
        used, end = len(self._places), len(self._places) + len(ordered)
        self._make_room(end)
        ids = self._tokenizer.ids(ordered)
        self._sums[used:end], self._tokens[used:end] = token_sums(self._vectors, ids, self._dim)
        self._places.update(zip(kept, range(used, end), strict=False))
        return dict(zip(ordered, range(used, end), strict=True))

    def _make_room(self, count: int) -> None:
        import numpy as np

        if count > len(self._sums):
            sums, tokens = self._sums, self._tokens
            size = max(count, 2 * len(sums), 1024)
            self._sums = np.empty((size, self._dim), dtype=np.float32)
            self._tokens = np.empty(size, dtype=np.int64)
            self._sums[: len(sums)], self._tokens[: len(sums)] = sums, tokens


def token_sums(
    vectors: Vectors, ids: Sequence[Sequence[int]], dim: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the sum of the vectors of each list of tokens, shape (lists, dim), and their numbers.

    Args:
        vectors: returns the vectors of tokens by their ids.
        ids: the lists.
        dim: the size of a vector.
    """
    import numpy as np

    sizes = np.fromiter(map(len, ids), dtype=np.intp, count=len(ids))
    flat = np.fromiter(chain.from_iterable(ids), dtype=np.intp, count=int(sizes.sum()))
    return added(vectors, flat, sizes, dim), sizes


def added(
    vectors: Vectors, places: np.ndarray[Any, Any], sizes: np.ndarray[Any, Any], dim: int
) -> np.ndarray[Any, Any]:
    """Return sums of vectors, shape (sums, dim). Each is added up in order, independently of the others.

    Args:
        vectors: returns vectors by their places.
        places: the places of the vectors of the first sum, then those of the next.
        sizes: the number of vectors of each sum.
        dim: the size of a vector.
    """
    import numpy as np

    starts = np.cumsum(sizes) - sizes
    order = np.argsort(-sizes, kind="stable")
    sums = np.zeros((len(sizes), dim), dtype=np.float32)
    for first in range(0, len(order), BLOCK):
        block = order[first : first + BLOCK]
        start, size = starts[block], sizes[block]
        total = np.zeros((len(block), dim), dtype=np.float32)
        for step in range(int(size[0])):
            # The sums that still have vectors to add; the longest come first.
            active = int(np.searchsorted(-size, -step))
            if active <= FEW:
                for n in range(active):
                    rest = vectors(places[start[n] + step : start[n] + size[n]])
                    total[n] = np.add.reduce(np.concatenate([total[n : n + 1], rest]), axis=0)
                break
            total[:active] += vectors(places[start[:active] + step])
        sums[block] = total
    return sums
