"""Long use of one process: memory, open files and threads stay flat, and answers right.

python tests/endurance/endurance.py            # in full: what `make endurance` runs
python tests/endurance/endurance.py --small    # what the tests run
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).parents[1]))

import shutil

from clx.ml import training_run
from conftest import fruit_frame, make_tiny_model

TEXTS = ["the cat", "an apple", "a dog and a cow", "the melon is red", "grape", "a sheep eats"]
ARGS = {"max_steps": 2, "disable_tqdm": True, "per_device_train_batch_size": 8}
FULL = {"predictions": 2000, "trainings": 20, "loads": 50, "rounds_a_thread": 50}
SMALL = {"predictions": 40, "trainings": 2, "loads": 4, "rounds_a_thread": 4}
THREADS = 8

SLACK_MB = 40
"""What the allocator may keep beside what is in use, after a warm-up; a leak of one of these models
and its Trainer in each training, or of a batch in each call, is above it in the full run."""


def usage():
    """Return resident memory in MB, open files, and threads of the system."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(os.listdir("/proc/self/fd"))
    threads = len(os.listdir("/proc/self/task"))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, files, threads


def flat(what, action, number, warm_up):
    """Do something many times; complain when more is in use afterwards than after a warm-up."""
    for count in range(warm_up):
        action(count)
    before = usage()
    for count in range(warm_up, warm_up + number):
        action(count)
    after = usage()
    grown = after[0] - before[0]
    print(
        f"{what}: {number} times, memory {before[0]:.0f} to {after[0]:.0f} MB, files {before[1]} to "
        f"{after[1]}, threads {before[2]} to {after[2]}",
        flush=True,
    )
    assert grown < SLACK_MB, f"{what}: {grown:.0f} MB more"
    assert after[1] <= before[1], f"{what}: files are left open"
    assert after[2] <= before[2], f"{what}: threads are left running"


def predictions(run, number):
    expected = run.predict(TEXTS)

    def once(count):
        # Texts of all lengths, and never the same list twice.
        words = [f"{text} {'big ' * (count % 40)}{count}" for text in TEXTS]
        assert len(run.predict(words, batch_size=1 + count % 7)) == len(words)

    flat("predict", once, number, warm_up=min(50, number))
    for ours, scores in zip(run.predict(TEXTS), expected, strict=True):
        assert ours == scores


def trainings(place, number):
    def once(count):
        run = training_run(
            "classification",
            f"run-{count % 3}",
            run_dir_parent=place,
            base_model_name=place / "model",
            training_args=ARGS,
        )
        run.train(fruit_frame(16), fruit_frame(8), overwrite=True)
        assert len(run.predict(TEXTS)) == len(TEXTS)

    flat("train", once, number, warm_up=min(3, number))


def loads(place, folder, number):
    copies = place / "copies"
    copies.mkdir()
    for count in range(number):
        shutil.copytree(folder, copies / f"copy-{count}")
    expected = training_run(load=folder).predict(TEXTS)

    def once(count):
        run = training_run(load=copies / f"copy-{count % number}", verify=True)
        assert run.predict(TEXTS) == expected

    flat("load", once, number, warm_up=min(3, number))


def threads_at_once(folder, rounds):
    """Predict from many threads, from the first moment on, when nothing is loaded yet."""
    alone = training_run(load=folder)
    inputs = [[f"{text} {'big ' * n}" for text in TEXTS[n % 3 :]] for n in range(THREADS)]
    expected = [alone.predict(texts) for texts in inputs]
    run = training_run(load=folder)
    together = threading.Barrier(THREADS)

    def work(n):
        together.wait()
        return [run.predict(inputs[n], batch_size=1 + n) for _ in range(rounds)]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(work, range(THREADS)))
    for found, right in zip(answers, expected, strict=True):
        for predicted in found:
            for scores, wanted in zip(predicted, right, strict=True):
                assert list(scores) == list(wanted)
                assert all(abs(scores[label] - wanted[label]) < 1e-5 for label in wanted)
    print(f"{THREADS} threads: {THREADS * rounds} calls at once, all right", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    amounts = SMALL if parser.parse_args().small else FULL
    warnings.simplefilter("ignore")
    place = Path(tempfile.mkdtemp(prefix="clx-endurance-"))
    os.environ["LOCAL_DATA_DIR"] = str(place / "data")
    make_tiny_model(place / "model")
    run = training_run(
        "classification",
        "first",
        run_dir_parent=place,
        base_model_name=place / "model",
        training_args=ARGS,
    )
    run.train(fruit_frame())
    threads_at_once(run.run_dir, amounts["rounds_a_thread"])
    predictions(run, amounts["predictions"])
    loads(place, run.run_dir, amounts["loads"])
    trainings(place, amounts["trainings"])
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
