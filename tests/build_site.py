"""Build the documentation into site/: the pages, a Markdown twin of each, and llms.txt.

Zensical builds the pages from mkdocs.yml. This module adds what a language model reads, and prints how
long each page takes to read.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
WORDS_PER_MINUTE = 200
SUMMARY = 160
API = re.compile(r"^::: (\S+)\n((?: {4}.*\n)*)", re.MULTILINE)
SUMMARIES = {
    "how-to/from-setfit.md": "The same program with SetFit and with clx, side by side.",
    "how-to/from-simple-transformers.md": "The same program with Simple Transformers and with clx.",
    "how-to/from-spacy.md": "The same program with spaCy's text categorizer and with clx, side by side.",
    "how-to/from-trainer.md": "The same program with the Trainer of transformers and with clx.",
    "how-to/labels.md": "List, rename and merge the labels of a trained run.",
    "how-to/ray.md": "Predict files with the workers of a Ray cluster.",
    "how-to/runtime.md": "Export a run into one file, and predict with it without torch.",
    "how-to/serve.md": "Answer requests for predictions over HTTP, with a page to try the run.",
    "how-to/several-processes.md": "Train on several GPUs or machines.",
    "how-to/sharing.md": "Upload a run to the Hugging Face Hub, and open it from there.",
    "how-to/write-a-task.md": "A task in twelve lines, and how to make it a package.",
    "reference/run-directory.md": "The files of a run directory, and what is in each.",
}
"""What the pages are about whose first sentence does not say it."""
FENCE = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)$", re.MULTILINE | re.DOTALL)


class NavLoader(yaml.SafeLoader):
    """Reads mkdocs.yml without the Python objects that it names."""


NavLoader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)


@dataclass(frozen=True)
class Page:
    """A page of the site.

    Attributes:
        part: the part of the site that it belongs to, such as ``How to``.
        path: its Markdown file, relative to the folder of documents.
        text: what the file says.
    """

    part: str
    path: str
    text: str

    @property
    def title(self) -> str:
        """The heading of the page."""
        return self.text.split("\n", 1)[0].removeprefix("# ").replace("`", "")

    @property
    def summary(self) -> str:
        """What the page is about: its first sentence, or the first two if the first is short."""
        if self.path in SUMMARIES:
            return SUMMARIES[self.path]
        for block in FENCE.sub("", self.text).split("\n\n")[1:]:
            line = " ".join(block.split())
            if line and line[0] not in "#|<-:!":
                return first_sentences(plain(line))
        return ""

    @property
    def words(self) -> int:
        """The number of words, without code."""
        return len(re.findall(r"[^\W_][\w'’.-]*", FENCE.sub("", self.text)))

    @property
    def minutes(self) -> int:
        """How long the page takes to read, at 200 words per minute."""
        return max(1, round(self.words / WORDS_PER_MINUTE))


def plain(text: str) -> str:
    """Return a line of Markdown without links and emphasis."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    return re.sub(r"\*\*([^*`]+)\*\*", r"\1", text)


def first_sentences(text: str) -> str:
    """Return the first sentence of a text, with the next one if it is short."""
    sentences = re.split(r"(?<=[.?!:])\s+(?=[A-Z`])", text)
    kept = sentences[0]
    if len(kept) < 50 and len(sentences) > 1 and len(kept) + len(sentences[1]) < SUMMARY:
        kept = f"{kept} {sentences[1]}"
    return kept.removesuffix(":") + ("." if kept.endswith(":") else "")


def configuration(root: Path = ROOT) -> dict[str, Any]:
    """Return mkdocs.yml."""
    text = (root / "mkdocs.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=NavLoader)
    return found


def entries(nav: Any, part: str = "") -> Iterator[tuple[str, str]]:
    """Yield the part and the path of each page in a navigation."""
    for entry in nav:
        if isinstance(entry, str):
            yield part, entry
            continue
        for title, below in entry.items():
            if isinstance(below, str):
                yield part or title, below
            else:
                yield from entries(below, part or title)


def pages(root: Path = ROOT) -> list[Page]:
    """Return the pages of the site, in the order of the navigation."""
    return [
        Page(part, path, (root / "docs" / path).read_text(encoding="utf-8"))
        for part, path in entries(configuration(root)["nav"])
    ]


# ---- For language models -------------------------------------------------------------------------


def llms_text(found: list[Page], config: dict[str, Any]) -> str:
    """Return llms.txt: the pages by part, each with one line that says what it is about."""
    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}"]
    part = None
    for page in found:
        if page.part != part:
            part = page.part
            lines += ["", f"## {part}", ""]
        lines.append(f"- [{page.title}]({page.path}): {page.summary}")
    return "\n".join(lines) + "\n"


@functools.cache
def code() -> Any:
    """Return the packages of clx as griffe reads them, without importing them."""
    import griffe

    import docstring_roles

    loader = griffe.GriffeLoader(
        search_paths=[ROOT / "clx-core" / "src"],
        extensions=griffe.Extensions(docstring_roles.DocstringRoles()),
    )
    for package in ("clx", "clx_runtime"):
        loader.load(package)
    loader.resolve_aliases(implicit=True, external=False)
    return loader.modules_collection


def documented(found: Any) -> list[Any]:
    """Return the members that the page of a module or class shows."""
    if found.is_module:
        names = found.exports or [
            name for name, each in found.members.items() if not each.is_alias and name[0] != "_"
        ]
        members = [found.members[str(name)] for name in names]
    else:
        members = [each for name, each in found.all_members.items() if name[0] != "_"]
    return [each for each in members if each.has_docstring]


def reference(found: Any, level: int, below: bool = True) -> str:
    """Return a part of the API as Markdown: its heading, its docstring, and what belongs to it."""
    heading = f"{'#' * level} {found.path if found.is_module else found.name}\n"
    parts = [heading]
    if found.is_function:
        parts.append(f"```text\n{found.signature()}\n```\n")
    if found.has_docstring:
        parts.append(f"{found.docstring.value}\n")
    if below and (found.is_module or found.is_class):
        parts += [reference(each, level + 1) for each in documented(found)]
    return "\n".join(parts)


def twin(text: str) -> str:
    """Return the Markdown of a page, in which the API is written out."""

    def written(match: re.Match[str]) -> str:
        options = yaml.safe_load(match[2] or "{}").get("options", {})
        level, below = options.get("heading_level", 3), options.get("members", True)
        return reference(code()[match[1]], level, below)

    return API.sub(written, text)


def add_twins(root: Path, site: Path) -> None:
    """Write the twin of each page beside it, and name it in the head of the page."""
    found = pages(root)
    for page in found:
        target = site / page.path
        target.write_text(twin(page.text), encoding="utf-8")
        html = target.with_suffix(".html")
        link = f'<link rel="alternate" type="text/markdown" href="{target.name}">'
        head, end, rest = html.read_text(encoding="utf-8").partition("</head>")
        html.write_text(f"{head}{link}{end}{rest}", encoding="utf-8")
    (site / "llms.txt").write_text(llms_text(found, configuration(root)), encoding="utf-8")


# ---- Reading time ---------------------------------------------------------------------------------


def reading_time(found: list[Page]) -> str:
    """Return a table of the pages with their words and minutes."""
    lines = [f"{page.words:6,}  {page.minutes:3}  {page.path}" for page in found]
    words = sum(page.words for page in found)
    total = f"{words:6,}  {round(words / WORDS_PER_MINUTE):3}  {len(found)} pages"
    return "\n".join([" words  min  page", *lines, total])


def build(root: Path = ROOT) -> Path:
    """Build the site of a folder that has mkdocs.yml and docs, and return where it is.

    Raises:
        CalledProcessError: a page has a dead link or names an anchor that is not there.
    """
    command = [sys.executable, "-m", "zensical", "build", "--clean"]
    # mkdocs.yml names a function of this folder.
    folders = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    subprocess.run(command, cwd=root, check=True, env=environment)
    add_twins(root, root / "site")
    return root / "site"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", action="store_true", help="only print the reading times")
    if not parser.parse_args().times:
        try:
            print(f"Built {build()}")
        except subprocess.CalledProcessError as failed:
            sys.exit(failed.returncode)
    print(reading_time(pages()))
