"""Real English text of mixed length without a download: the documentation in Python's own library.

A row is a paragraph of a docstring, its label the module that it is from.
"""

from __future__ import annotations

import importlib
import inspect
import random
import re

_NAMES = (
    "argparse asyncio collections csv datetime decimal difflib email.message fractions ftplib "
    "gzip heapq imaplib inspect ipaddress json logging mailbox multiprocessing.pool optparse "
    "pathlib pickle random shutil smtplib socket sqlite3 statistics string subprocess tarfile "
    "textwrap threading tkinter turtle unittest unittest.mock urllib.request uuid "
    "xml.dom.minidom xml.etree.ElementTree zipfile"
)
MODULES = _NAMES.split(" ")


def paragraphs(max_words: int = 250) -> list[tuple[str, str]]:
    """Return ``(text, module)`` for each distinct paragraph, in a fixed random order."""
    found: dict[str, str] = {}
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        for documentation in _docstrings(module):
            for paragraph in re.split(r"\n\s*\n", documentation):
                words = paragraph.split()
                if 3 <= len(words) <= max_words:
                    found.setdefault(" ".join(words), name)
    rows = list(found.items())
    random.Random(0).shuffle(rows)
    return rows


def _docstrings(module: object) -> list[str]:
    objects = [module]
    for _, member in inspect.getmembers(module):
        if inspect.isclass(member) or inspect.isroutine(member):
            objects.append(member)
        if inspect.isclass(member):
            objects += [value for _, value in inspect.getmembers(member, inspect.isroutine)]
    return [text for each in objects if isinstance(text := getattr(each, "__doc__", None), str)]


def mixed_texts(count: int) -> list[str]:
    """Return texts of 3 to 250 words, as they come."""
    rows = [text for text, _ in paragraphs()]
    return [rows[number % len(rows)] for number in range(count)]


def short_texts(count: int, words: int = 10) -> list[str]:
    """Return distinct texts of about the same, small number of words."""
    rng = random.Random(1)
    pool = " ".join(text for text, _ in paragraphs()).split()
    starts = [rng.randrange(len(pool) - words) for _ in range(count)]
    return [" ".join(pool[start : start + words]) for start in starts]
