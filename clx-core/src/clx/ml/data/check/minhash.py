"""Search for nearly equal texts, given as word ids, with MinHash, bands and the exact Jaccard index.

The shingles of a text are its words and its pairs of adjacent words, with repetitions (w-shingling and
resemblance: Broder, "On the resemblance and containment of documents", 1997). MinHash signatures decide
which pairs of texts to compare (same paper; multiply-shift hashes stand for the random permutations,
Dietzfelbinger et al. 1997). The signatures are split into bands, and texts that agree in a whole band
are candidates (locality-sensitive hashing: Indyk and Motwani 1998; Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", chapter 3).

In each band, a text is compared with a fixed number of neighbors only, and the exact similarity is
computed for its best few candidates. Templated texts, which are all somewhat alike, therefore cost no
more than other texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PERMUTATIONS = 192
"""Length of a signature: its estimate of a similarity of 0.8 has a standard deviation of 0.03."""

BAND_RECALL = 0.985
"""The probability that a pair that is just similar enough becomes a candidate."""

NEIGHBOURS = 8
"""In a band, a text is compared with this many texts before it and after it."""

CANDIDATES = 4
"""The exact similarity is computed for this many candidates per text, the best by signature."""

MARGIN = 0.1
"""How much too low a candidate's similarity by signature may be: 3.4 standard deviations at 0.8."""

CHUNK_WORDS = 40_000
CHUNK_PAIRS = 50_000
HASH_BITS = 43
"""Bits of a shingle's hash. The other 21 of 64 bits number the texts of a chunk, up to 2**21."""


@dataclass(frozen=True)
class Words:
    """The word ids of all texts, concatenated. Each text has at least one word.

    Attributes:
        ids: shape (words,), uint64, below 2**31.
        sizes: the number of words of each text, shape (texts,), int64.
    """

    ids: Array
    sizes: Array

    @cached_property
    def starts(self) -> Array:
        """The position in ``ids`` of each text's first word, shape (texts,)."""
        import numpy as np

        return np.cumsum(self.sizes) - self.sizes


def best_matches(
    words: Words, queries: Array, in_first: int, similarity: float
) -> tuple[Array, Array]:
    """Return the most similar earlier text of each text, and their similarity.

    Both have the shape (texts,); a text without a match has -1 and 0.0.

    Args:
        words: the texts. No two of them should have the same words.
        queries: the texts to find matches for.
        in_first: the texts below this number may be matches.
        similarity: the lowest similarity of a match.
    """
    import numpy as np

    best = np.full(len(words.sizes), -1, dtype=np.int64)
    scores = np.zeros(len(words.sizes))
    if not in_first or not len(queries):
        return best, scores
    keys, marks = _sketches(words, band_rows(similarity))
    a = b = agreeing = np.zeros(0, dtype=np.int64)
    for band in range(keys.shape[1]):
        order = np.lexsort((keys[:, (band + 1) % keys.shape[1]], keys[:, band]))
        new_a, new_b = _neighbors(keys[:, band], order, queries, in_first)
        new = _agreeing(marks, new_a, new_b)
        kept = new >= PERMUTATIONS * (similarity - MARGIN)
        if kept.any():
            a, b = np.append(a, new_a[kept]), np.append(b, new_b[kept])
            a, b, agreeing = _top(a, b, np.append(agreeing, new[kept]), CANDIDATES)
    exact = _jaccard(words, a, b)
    enough = exact >= similarity
    a, b, exact = _top(a[enough], b[enough], exact[enough], 1)
    best[b], scores[b] = a, exact
    return best, scores


def band_rows(similarity: float) -> int:
    """Return the number of permutations per band: the largest that still has ``BAND_RECALL``.

    A pair with similarity s agrees in a band of r permutations with probability s^r. It becomes a
    candidate in at least one of the k/r bands with probability 1 - (1 - s^r)^(k/r).
    """
    for rows in range(16, 1, -1):
        if 1 - (1 - similarity**rows) ** (PERMUTATIONS // rows) >= BAND_RECALL:
            return rows
    return 1


def _mix(numbers: Array) -> Array:
    """Return well-mixed 64-bit hashes of the numbers (the finalizer of splitmix64)."""
    import numpy as np

    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _shingles(words: Words, texts: Array) -> tuple[Array, Array]:
    """Return 64-bit hashes of the texts' shingles, concatenated, and the number of each text's.

    A text of n words has 2n - 1 shingles. No two of them have the same hash: the second "very" of a
    text is a different shingle from the first.
    """
    import numpy as np

    starts, sizes = words.starts[texts], words.sizes[texts]
    last = np.cumsum(sizes) - 1
    owner = np.repeat(np.arange(len(texts), dtype=np.uint64), sizes)
    ids = words.ids[np.arange(len(owner)) + np.repeat(starts - (last + 1 - sizes), sizes)]
    ids += np.uint64(1)
    inner = np.ones(len(ids), dtype=bool)
    inner[last] = False
    left = np.flatnonzero(inner)
    pairs = (ids[left] << np.uint64(32)) | ids[left + 1]
    hashes = _mix(np.concatenate([ids, pairs])) >> np.uint64(64 - HASH_BITS)
    packed = (np.concatenate([owner, owner[left]]) << np.uint64(HASH_BITS)) | hashes
    packed.sort()
    places = np.arange(len(packed))
    fresh = np.ones(len(packed), dtype=bool)
    fresh[1:] = packed[1:] != packed[:-1]
    occurrence = places - np.maximum.accumulate(np.where(fresh, places, 0))
    packed &= np.uint64((1 << HASH_BITS) - 1)
    return _mix(packed | (occurrence.astype(np.uint64) << np.uint64(HASH_BITS))), 2 * sizes - 1


def _chunks(sizes: Array, limit: int) -> Iterator[Array]:
    """Yield the positions of ``sizes`` in runs whose sizes add up to about ``limit``."""
    import numpy as np

    number = np.cumsum(sizes) // limit
    yield from np.split(np.arange(len(sizes)), np.flatnonzero(np.diff(number)) + 1)


def _sketches(words: Words, rows: int) -> tuple[Array, Array]:
    """Return the band keys, shape (texts, bands), and the signatures, shape (texts, permutations).

    A signature keeps 8 bits per permutation.
    """
    import numpy as np

    numbers = _mix(np.arange(2 * PERMUTATIONS, dtype=np.uint64))
    factors, offsets = numbers[:PERMUTATIONS] | np.uint64(1), numbers[PERMUTATIONS:]
    keys, marks = [], []
    for texts in _chunks(words.sizes, CHUNK_WORDS):
        hashes, counts = _shingles(words, texts)
        starts = np.cumsum(counts) - counts
        least = np.empty((PERMUTATIONS, len(texts)), dtype=np.uint64)
        hashed = np.empty_like(hashes)
        for number in range(PERMUTATIONS):
            np.multiply(hashes, factors[number], out=hashed)
            np.add(hashed, offsets[number], out=hashed)
            np.minimum.reduceat(hashed, starts, out=least[number])
        least >>= np.uint64(32)
        marks.append(least.astype(np.uint8).T)
        bands = np.zeros((PERMUTATIONS // rows, len(texts)), dtype=np.uint64)
        for row in range(rows):
            bands = _mix(bands ^ least[row : len(bands) * rows : rows])
        keys.append(bands.T)
    return np.concatenate(keys), np.concatenate(marks)


def _neighbors(keys: Array, order: Array, queries: Array, in_first: int) -> tuple[Array, Array]:
    """Return pairs (matchable, query) with the same key that are close to each other in ``order``.

    ``order`` sorts the keys. Each query meets at most 2 × ``NEIGHBOURS`` texts below ``in_first``.
    """
    import numpy as np

    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    matchable = order[order < in_first]
    after = np.searchsorted(place[matchable], place[queries])
    found_a, found_b = [], []
    for offset in range(-NEIGHBOURS, NEIGHBOURS):
        other = after + offset
        inside = (other >= 0) & (other < len(matchable))
        a, b = matchable[other[inside]], queries[inside]
        paired = (keys[a] == keys[b]) & (a < b)
        found_a.append(a[paired])
        found_b.append(b[paired])
    return np.concatenate(found_a), np.concatenate(found_b)


def _agreeing(marks: Array, a: Array, b: Array) -> Array:
    """Return the number of permutations in which each pair's signatures agree, shape (pairs,)."""
    import numpy as np

    agreeing = np.empty(len(a), dtype=np.int64)
    for start in range(0, len(a), CHUNK_PAIRS):
        part = slice(start, start + CHUNK_PAIRS)
        agreeing[part] = np.count_nonzero(marks[a[part]] == marks[b[part]], axis=1)
    return agreeing


def _top(a: Array, b: Array, scores: Array, count: int) -> tuple[Array, Array, Array]:
    """Return the ``count`` pairs with the highest scores for each ``b``, without repeated pairs."""
    import numpy as np

    order = np.lexsort((a, -scores, b))
    a, b, scores = a[order], b[order], scores[order]
    once = np.ones(len(a), dtype=bool)
    once[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    a, b, scores = a[once], b[once], scores[once]
    rank = np.arange(len(b)) - np.searchsorted(b, b)
    kept = rank < count
    return a[kept], b[kept], scores[kept]


def _jaccard(words: Words, a: Array, b: Array) -> Array:
    """Return the Jaccard index of each pair's shingles, shape (pairs,)."""
    import numpy as np

    result = np.empty(len(a))
    for pairs in _chunks(words.sizes[a] + words.sizes[b], CHUNK_WORDS):
        hashes, counts = _shingles(words, np.concatenate([a[pairs], b[pairs]]))
        owner = np.tile(np.arange(len(pairs), dtype=np.uint64), 2)
        packed = np.repeat(owner, counts) << np.uint64(HASH_BITS)
        packed |= hashes >> np.uint64(64 - HASH_BITS)
        packed.sort()
        twice = packed[1:][packed[1:] == packed[:-1]] >> np.uint64(HASH_BITS)
        shared = np.bincount(twice.astype(np.int64), minlength=len(pairs))
        result[pairs] = shared / (counts[: len(pairs)] + counts[len(pairs) :] - shared)
    return result
