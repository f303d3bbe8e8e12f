"""Metrics for Prometheus, under the names of Text Embeddings Inference where it has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Counts(Collector):
    """Counters without the suffix ``_total``, which the names of Text Embeddings Inference lack."""

    def __init__(self, names: dict[str, tuple[str, str]]) -> None:
        self._names = names
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in names}

    def add(self, name: str, value: str) -> None:
        """Count one more, for a value of the counter's label."""
        self._counts[name][value] += 1

    def collect(self) -> Iterable[Metric]:
        """Return the counters, for the registry."""
        for name, (label, what) in self._names.items():
            metric = Metric(name, what, "unknown")
            for value, count in self._counts[name].items():
                metric.add_sample(name, {label: value}, count)
            yield metric


class Metrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counts = _Counts(
            {
                "te_request_count": ("method", "Requests for predictions"),
                "te_request_success": ("method", "Requests that were answered"),
                "te_request_failure": ("err", "Requests that were refused or failed"),
            }
        )
        self._registry.register(self._counts)
        self._duration = self._histogram("te_request_duration", "Seconds of a request", _SECONDS)
        self._waited = self._histogram(
            "te_request_queue_duration", "Seconds in the queue", _SECONDS
        )
        self._inference = self._histogram(
            "te_request_inference_duration", "Seconds that the model computed a batch", _SECONDS
        )
        self._size = self._histogram("te_batch_next_size", "Texts of a batch", _SIZES)
        self._tokens = self._histogram("te_batch_next_tokens", "Tokens of a batch, about", _TOKENS)
        self._queue = Gauge("te_queue_size", "Waiting texts", ["run"], registry=self._registry)
        self._reloads = Gauge(
            "clx_run_loads", "How often a run was loaded", ["run"], registry=self._registry
        )

    def _histogram(self, name: str, what: str, buckets: Iterable[float]) -> Histogram:
        return Histogram(name, what, buckets=tuple(buckets), registry=self._registry)

    def asked(self, method: str) -> None:
        """Count a request for predictions; ``method`` is ``single`` or ``batch``."""
        self._counts.add("te_request_count", method)

    def answered(self, method: str, seconds: float, queued: float) -> None:
        """Count an answered request, with its seconds in all and in the queue."""
        self._counts.add("te_request_success", method)
        self._duration.observe(seconds)
        self._waited.observe(queued)

    def failed(self, kind: str) -> None:
        """Count a request that was refused or failed."""
        self._counts.add("te_request_failure", kind.lower())

    def batch(self, size: int, tokens: int) -> None:
        """Record a batch that starts."""
        self._size.observe(size)
        self._tokens.observe(tokens)

    def inference(self, seconds: float) -> None:
        """Record how long the model computed a batch."""
        self._inference.observe(seconds)

    def queue(self, run: str, waiting: int) -> None:
        """Record how many texts wait for a run."""
        self._queue.labels(run).set(waiting)

    def loaded(self, run: str) -> None:
        """Count that a run was loaded."""
        self._reloads.labels(run).inc()

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
