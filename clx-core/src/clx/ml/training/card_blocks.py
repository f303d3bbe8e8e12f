"""The text of a model card in sections and blocks, and which of them clx writes.

clx knows its own text by the headings and the beginnings of its sentences, so that a card of an
earlier version needs no marks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

ITEM = "labels item"
"""The kind of an item in the list of labels."""

_SENTENCES_OF = {
    "title": ("what", "trained", "kept", "lora", "fingerprint"),
    "evaluation": ("split", "metrics"),
    "per label": ("per label",),
    "labels": (ITEM, "more labels", "min_score", "temperature"),
    "scores": ("min_score", "temperature"),
    "limits": ("known labels", "measured", "length", "thresholds"),
    "use": ("with clx", "code of clx", "with transformers", "code of transformers"),
}
"""What clx says in each of its sections."""

_HEADINGS = {
    "title": (r"# .+", None),
    "evaluation": (r"## Evaluation on \d+ rows", "## Evaluation"),
    "per label": (r"## Metrics per label", "## Metrics per label"),
    "labels": (r"## Labels \(\d+\)", "## Labels"),
    "scores": (r"## Scores", "## Scores"),
    "limits": (r"## Limits", "## Limits"),
    "use": (r"## Use", "## Use"),
}
"""For each section of clx, its heading as a pattern, and the heading of what a user added to it."""

_TABLE_ROWS = r"[^\n]*(?:\n\|[^\n]*)*"
_PYTHON = "```python\n"

_BLOCKS = {
    "what": r"A `[^`\n]*` model, fine-tuned from .+? with clx \d[\w.+!-]*\."
    r"(?: It continues the training of `[^`\n]*`\.)?",
    "trained": r"Trained on \d+ rows in \d+ steps \([\d.e+-]+ epochs\)\.",
    "kept": r"The published model is (?:epoch [\d.]+|the probe(?:: no epoch of the fine-tuning scores "
    r"better on the eval data)?(?: \(probe [^\s,]+, best epoch [^\s)]+\))?)\.",
    "lora": r"A LoRA adapter of rank \d+ was trained and merged into the weights\.",
    "fingerprint": r"Fingerprint of the data: \w+ `[0-9a-f]+`(?:, \w+ `[0-9a-f]+`)*\.",
    "split": r"The evaluation rows are .+? the data(?:, by (?:'[^'\n]*'|\"[^\"\n]*\")|, chosen at "
    r"random.*? \(seed [^\s)]*\))\.",
    "metrics": r"\| metric \| value \|" + _TABLE_ROWS,
    "per label": r"\| label \|" + _TABLE_ROWS,
    ITEM: r'- "(?:[^"\\\n]|\\.)*"(?:: from a score of \d+\.\d{4})?',
    "more labels": r"- and \d+ more",
    "min_score": r"Below a score of \d+\.\d+, clx gives no label\.",
    "temperature": r"The scores are calibrated on the eval data \(temperature [\d.]+, part of the "
    r"weights\)\.",
    "known labels": r"- It knows only the labels above, and gives their scores for any text\.",
    "measured": r"- (?:The metrics hold for texts like those of the eval data\.|It was not evaluated\.) "
    r"Measure it on your own texts before you rely on it\.",
    "length": r"- (?:clx reads long texts in windows\. Plain transformers truncates them|Texts longer "
    r"than the input limit are truncated)\.",
    "thresholds": r"- Only clx applies the thresholds above\. Plain transformers returns scores\.",
    "with clx": r"With clx \(`pip install [^`\n]*`\):",
    "with transformers": r"With transformers alone:",
}

_CODE = {
    "code of clx": _PYTHON
    + r"from clx\.ml import training_run\n\nrun = training_run\(load=[^\n]*\)\n"
    r'run\.predict_labels\(\["some text"\]\)\n```',
    "code of transformers": _PYTHON + r"from transformers import pipeline\n\n"
    r'pipe = pipeline\([^\n]*\)\npipe\("some text", truncation=True\)\n```',
}

# An editor may have wrapped the lines of a sentence; tables and code have lines of their own.
_PATTERNS = {
    **{kind: re.compile(pattern.replace(" ", r"\s+")) for kind, pattern in _BLOCKS.items()},
    **{kind: re.compile(pattern) for kind, pattern in _CODE.items()},
}


@dataclass(frozen=True)
class Block:
    """A paragraph, a table, a block of code, or an item of a list.

    Attributes:
        text: its text.
        kind: what clx says with it, None for the text of a user.
        tight: whether it follows the block before it without an empty line.
    """

    text: str
    kind: str | None = None
    tight: bool = False

    @property
    def is_item(self) -> bool:
        """Whether it is an item of a list."""
        return self.text.startswith("- ")


@dataclass(frozen=True)
class Section:
    """A heading with what follows it, up to the next heading.

    Attributes:
        heading: its line, empty for what stands before the first heading.
        text: what follows, as it was read.
        kind: which section of clx it is, None for a section of a user.
    """

    heading: str
    text: str
    kind: str | None = None

    @property
    def blocks(self) -> list[Block]:
        """Its blocks; what a user added to a sentence of clx is a block of its own."""
        return [part for block in _split(self.text) for part in _told_apart(block, self.kind)]

    @property
    def heading_of_user(self) -> str:
        """The heading of the section if only what a user added to it is left."""
        return (_HEADINGS[self.kind][1] if self.kind else None) or self.heading

    def __str__(self) -> str:
        return f"{self.heading}\n{self.text}" if self.heading else self.text


def sections_of(text: str) -> list[Section]:
    """Return the sections of a card without its metadata. The first of each kind is clx's."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    fenced = False
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        if not fenced and re.match(r"##? ", line):
            parts.append((line, []))
        else:
            parts[-1][1].append(line)
    sections, found = [], set[str]()
    for heading, lines in parts:
        names = (kind for kind, (known, _) in _HEADINGS.items() if re.fullmatch(known, heading))
        kind = next((each for each in names if each not in found), None)
        found |= {kind} if kind else set()
        section = Section(heading, "\n".join(lines), kind)
        if not heading and "title" not in found:
            # A user may have removed the title.
            titled = replace(section, kind="title")
            section = titled if any(block.kind for block in titled.blocks) else section
        if heading or lines:
            sections.append(section)
    return sections


def section_of(old: Section, heading: str, blocks: list[Block]) -> Section:
    """Return a section with other blocks."""
    text = "\n"
    for number, block in enumerate(blocks):
        tight = number and block.tight and block.is_item and blocks[number - 1].is_item
        text += ("" if not number else "\n" if tight else "\n\n") + block.text
    return replace(old, heading=heading, text=f"{text}\n")


def _split(text: str) -> list[Block]:
    blocks: list[list[str]] = []
    tight: list[bool] = []
    fenced, after_blank = False, True
    for line in text.splitlines():
        begins = not fenced and (after_blank or line.startswith("- "))
        fenced ^= line.lstrip().startswith("```")
        if not line.strip() and not fenced:
            after_blank = True
            continue
        if begins:
            blocks.append([])
            tight.append(not after_blank)
        blocks[-1].append(line)
        after_blank = False
    return [
        Block("\n".join(lines), None, is_tight)
        for lines, is_tight in zip(blocks, tight, strict=True)
    ]


def _told_apart(block: Block, section: str | None) -> list[Block]:
    """Return a block as one of clx and one with what a user wrote after it, if it begins as clx's."""
    for kind in _SENTENCES_OF.get(section or "", ()):
        match = _PATTERNS[kind].match(block.text)
        if match is None:
            continue
        rest = block.text[match.end() :]
        if kind == ITEM or not rest.strip():
            # What is written behind a label belongs to the label.
            return [replace(block, kind=kind)]
        bullet = "- " if block.is_item else ""
        return [
            Block(match[0], kind, block.tight),
            Block(bullet + rest.strip(), None, tight=block.is_item),
        ]
    return [block]


def label_and_rest(item: Block) -> tuple[str, str]:
    """Return the label of an item in JSON, and what a user wrote behind it."""
    match = _PATTERNS[ITEM].match(item.text)
    assert match is not None
    name = re.match(r'- ("(?:[^"\\\n]|\\.)*")', item.text)
    assert name is not None
    return name[1], item.text[match.end() :]
