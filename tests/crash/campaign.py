"""Kill trials: end what writes into a run or a file at any instant, and look what is left.

    python tests/crash/campaign.py --trials 500 --seed 1

Each trial is a process forked from this one, which has imported everything. It is killed either
before the n-th file-system call that it makes, n being random, or after a random time. Then other
processes look: is there one whole run whose config, labels, weights and results belong together, or
none where there was none? Can what was begun be finished, to the same end?
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from clx.errors import ClxError
from crash.faults import Injected, in_fork
from crash.scenarios import SCENARIOS, ask, prepare


def count_steps(action, parent):
    with Injected(parent) as injected:
        action(parent)
    return injected.count


def killed_at(action, parent, step):
    with Injected(parent, at=step):
        action(parent)


def modules_after(action, parent):
    action(parent)
    return sorted(sys.modules)


def measure(place, names):
    """Return how many steps each scenario has, and how long it takes."""
    found = {}
    for name in names:
        before, action, _, _ = SCENARIOS[name]
        parent = place / "measure"
        before(place, parent)
        for module in ask(modules_after, action, parent):
            # What is imported late would be imported again in each trial.
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        shutil.rmtree(parent)
        before(place, parent)
        started = time.monotonic()
        steps = ask(count_steps, action, parent)
        found[name] = (steps, time.monotonic() - started)
        shutil.rmtree(parent)
    return found


def trial(place, number, name, measured, by_step):
    before, action, after, _ = SCENARIOS[name]
    steps, seconds = measured[name]
    parent = place / f"trial-{number}"
    shutil.rmtree(tempfile.gettempdir())
    Path(tempfile.gettempdir()).mkdir()
    before(place, parent)
    if by_step:
        step = random.randint(1, steps)
        said, status = in_fork(killed_at, action, parent, step)
        where = f"step {step} of {steps}"
    else:
        delay = random.uniform(0, seconds * 1.1)
        said, status = in_fork(action, parent, seconds=delay)
        where = f"after {delay:.3f} s"
    was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not was_killed and status != 0:
        return was_killed, f"{name}, {where}: {said}"
    try:
        after(place, parent)
    except (AssertionError, ClxError, OSError, ValueError) as error:
        return was_killed, f"{name}, {where}: {error}"
    shutil.rmtree(parent)
    return was_killed, None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=SCENARIOS, nargs="*", default=list(SCENARIOS))
    parser.add_argument("--keep", action="store_true", help="keep the folder of failed trials")
    options = parser.parse_args()
    random.seed(options.seed)
    place = Path(tempfile.mkdtemp(prefix="clx-crash-"))
    os.environ["LOCAL_DATA_DIR"] = str(place / "data")
    # What is killed leaves nothing in the system's folder either.
    tempfile.tempdir = os.environ["TMPDIR"] = str(place / "tmp")
    (place / "tmp").mkdir()
    ask(prepare, place)
    names = [name for name in options.only for _ in range(SCENARIOS[name][3])]
    # Every scenario by turns, so that a small campaign has as many as it can.
    more = random.choices(names, k=max(0, options.trials - len(options.only)))
    drawn = [*options.only, *more][: options.trials]
    measured = measure(place, dict.fromkeys(drawn))
    trials, kills, losses = Counter(), Counter(), []
    started = time.monotonic()
    for number, name in enumerate(drawn):
        was_killed, loss = trial(place, number, name, measured, by_step=number % 3 != 2)
        trials[name] += 1
        kills[name] += was_killed
        if loss:
            losses.append(loss)
            print(f"LOSS in trial {number}: {loss}", flush=True)
        if (number + 1) % 50 == 0:
            spent = time.monotonic() - started
            print(f"{number + 1} trials, {len(losses)} losses, {spent:.0f} s", flush=True)
    for name, (steps, seconds) in measured.items():
        print(
            f"{name}: {trials[name]} trials, {kills[name]} killed on the way "
            f"({steps} steps, {seconds:.1f} s)"
        )
    print(f"{sum(trials.values())} trials, {sum(kills.values())} killed, {len(losses)} losses")
    if not (losses and options.keep):
        shutil.rmtree(place)
    return 1 if losses else 0


if __name__ == "__main__":
    sys.exit(main())
