"""examples/serving names options and paths that the server has."""

import asyncio
import re
import sys
import types
from pathlib import Path

import pytest
import yaml

from clx_runtime.server import main as command

FOLDER = Path(__file__).parents[2] / "examples" / "serving"


@pytest.mark.parametrize("name", ["Dockerfile", "clx-serve.service"])
def test_the_command_line_of_an_example_is_valid(name, monkeypatch):
    text = (FOLDER / name).read_text()
    (line,) = re.findall(r"^(?:ENTRYPOINT|ExecStart=)(.*clx-serve.*)$", text, re.MULTILINE)
    words = re.sub(r'[\[\]",]', " ", line).split()
    taken = []
    monkeypatch.setattr("clx_runtime.server.process.serve", lambda *each: taken.append(each))
    monkeypatch.setattr("clx_runtime.server.tokens.Path.read_text", lambda *_, **__: "token")
    assert command.main(words[1:]) == 0
    ((sources, settings),) = taken
    assert (sources[0].name, settings.port) == ("model", 8000)


def test_prometheus_reads_the_service_of_the_compose_file():
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    scraped = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    (target,) = scraped[0]["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert host in services
    assert f"EXPOSE {port}" in (FOLDER / "Dockerfile").read_text()
    assert services["model"]["stop_grace_period"] == "40s"


def test_the_ray_deployment_batches_by_tokens(trained, monkeypatch):
    """With a stand-in for Ray Serve, whose packages are not installed here."""
    from clx.ml import training_run

    pytest.importorskip("onnxruntime")
    run = training_run(load=trained)
    run.export("onnx", texts=["a cat", "an apple"], int8=False)
    batched = {}

    def batch(**options):
        batched.update(options)
        return lambda method: method

    serve = types.SimpleNamespace(batch=batch, deployment=lambda **_: _deployed)
    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(serve=serve))
    monkeypatch.setenv("CLX_MODEL", str(trained))
    namespace = {}
    exec((FOLDER / "ray_serve.py").read_text(), namespace)
    size = batched["batch_size_fn"]
    # Ray refuses a single text that is larger than a batch.
    assert size(["a" * 10**6]) <= batched["max_batch_size"]
    assert size(["a" * 40, "b" * 40]) == 2 * size(["a" * 40])
    labels = namespace["Labels"]()
    assert asyncio.run(labels.decide(["a cat", "an apple"])) == run.predict_labels(
        ["a cat", "an apple"], backend="onnx"
    )


def _deployed(cls):
    cls.bind = classmethod(lambda cls: cls)
    return cls
