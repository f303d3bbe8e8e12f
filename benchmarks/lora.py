"""LoRA against a training of all weights: seconds a step, peak memory, and the score on held-out rows.

    python benchmarks/lora.py DATA [--rows 2000] [--epochs 2] [--wide-steps 6]

DATA is a folder with ``banking77/train.csv``; the test rows are not read. The training rows are drawn
from it, and so are the eval rows, a fourth of their number. Each case is a process of its own, one after
the other; a step is measured in seconds of the processor. The second part is about memory alone: a
random BERT of the size of bert-base takes a few steps.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CASE = """
import json, os, resource, sys, time
import pandas as pd
from transformers import TrainerCallback
from clx.ml import training_run
given = json.loads(sys.argv[1])
class Steps(TrainerCallback):
    def __init__(self):
        self.times = []
    def on_step_begin(self, *args, **kwargs):
        self.started = time.process_time()
    def on_step_end(self, *args, **kwargs):
        self.times.append(time.process_time() - self.started)
steps = Steps()
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
data = pd.read_csv(given["data"]).sample(frac=1, random_state=0)
train, held_out = data[:given["rows"]], data[given["rows"]:given["rows"] * 5 // 4]
run = training_run("classification", "case", run_dir_parent=given["folder"],
                   training_args={"disable_tqdm": True, **given["arguments"]}, **given["options"])
started = time.perf_counter()
result = run.train(train, held_out if given["evaluate"] else None, overwrite=True, callbacks=[steps])
times = sorted(steps.times)
print(json.dumps({
    "wall": time.perf_counter() - started, "cpu": time.process_time(),
    "step": times[len(times) // 2] if times else None,
    "peak": peak(), "kept": result.kept, "accuracy": result.metrics.get("accuracy"),
    "loss": result.metrics.get("loss"), "lora": run.results.get("lora"),
}))
"""

WIDE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}


def main() -> None:
    """Print a line of JSON for each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--wide-steps", type=int, default=6)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        common = {"data": str(given.data / "banking77" / "train.csv"), "folder": folder}
        epochs = {"num_train_epochs": given.epochs}
        for name, options, arguments in (
            ("all weights", {}, {}),
            ("lora", {"lora": True}, {}),
            ("lora, half the rate", {"lora": True}, {"learning_rate": 5e-4}),
            ("lora, twice the rate", {"lora": True}, {"learning_rate": 2e-3}),
            ("lora, all linear layers", {"lora": {"target_modules": "all-linear"}}, {}),
        ):
            case = {"rows": given.rows, "evaluate": True, "options": options}
            _show(f"MiniLM, {name}", {**common, **case, "arguments": {**epochs, **arguments}})
        base = _wide(Path(folder) / "wide")
        steps = {"max_steps": given.wide_steps, "per_device_train_batch_size": 8}
        for name, options, arguments in (
            ("all weights", {}, {}),
            ("lora", {"lora": True}, {}),
            ("lora, gradient checkpointing", {"lora": True}, {"gradient_checkpointing": True}),
        ):
            # Without a probe, whose memory is the same in both.
            options |= {"base_model_name": base, "head_init": "random", "pooling": "model"}
            case = {"rows": 400, "evaluate": False, "options": options}
            _show(f"as bert-base, {name}", {**common, **case, "arguments": {**steps, **arguments}})


def _wide(folder: Path) -> str:
    from transformers import AutoTokenizer, BertConfig, BertModel

    from training import base_model

    tokenizer = AutoTokenizer.from_pretrained(base_model())
    BertModel(BertConfig(vocab_size=len(tokenizer), **WIDE)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def _show(name: str, case: dict[str, object]) -> None:
    command = [sys.executable, "-W", "ignore", "-c", CASE, json.dumps(case)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    print(name, done.stdout.strip().splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
