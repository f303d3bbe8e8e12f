"""Texts without labels, for students of the tiny model."""

import itertools
import random

from conftest import ANIMALS, FRUIT

COLORS = "red green big small one two three".split()


def texts_of(count):
    """Different texts about fruit or animals."""
    every = [
        f"the {color} {one} is a {two}"
        for words in (FRUIT, ANIMALS)
        for color, one, two in itertools.product(COLORS, words, words)
    ]
    random.Random(1).shuffle(every)
    assert len(set(every)) >= count
    return every[:count]
