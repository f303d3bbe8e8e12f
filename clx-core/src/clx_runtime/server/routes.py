"""The routes of the server: one function per protocol."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from clx_runtime.server.answering import IDENTITY, Answering, Asked
from clx_runtime.server.answers import classified, decided, ranked
from clx_runtime.server.bodies import Inputs, parsed
from clx_runtime.server.forms import ClassifyForm, HubForm, LabelsForm, Parameters, PredictForm
from clx_runtime.server.page import page
from clx_runtime.server.refusals import UNHEALTHY, Refusal, unavailable
from clx_runtime.server.served import Needs, Served

_LOGITS = Needs(logits=True)
_DECISIONS = Needs(prediction=True)


def _documented(form: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a form for the page ``/docs``; the form is read without FastAPI."""
    schema = form.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = schema.pop("$defs", {})
    for value in schema["properties"].values():
        for each in value.get("anyOf", ()):
            if "$ref" in each:
                each.update(inner[each.pop("$ref").rsplit("/", 1)[1]])
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def prediction_routes(answering: Answering) -> APIRouter:
    """Return the routes for predictions, for the root and for ``/runs/{name}``."""
    router, limits = APIRouter(), answering.limits

    async def hub(request: Request) -> Response:
        """Score texts in the form of the Inference API: nested lists, the best label first."""

        def read(body: bytes, served: Served) -> Asked:
            form = parsed(HubForm, body)
            texts, single = Inputs(served.facts.text_columns, limits).texts(form.inputs, "inputs")
            parameters = form.parameters or Parameters.model_validate({})
            function, top_k = parameters.function_to_apply, parameters.top_k
            return Asked(
                texts,
                single,
                _LOGITS,
                limits.truncate,
                lambda served, answers: ranked(served.facts, answers, function, top_k),
            )

        return await answering.answer(request, read)

    for path in ("/", "/invocations"):
        router.post(path, openapi_extra=_documented(HubForm))(hub)

    @router.post("/predict", openapi_extra=_documented(PredictForm))
    async def predict(request: Request) -> Response:
        """Score texts in the form of Text Embeddings Inference: flat for one input."""

        def read(body: bytes, served: Served) -> Asked:
            form = parsed(PredictForm, body, malformed=400)
            texts, single = Inputs(served.facts.text_columns, limits).pairs(form.inputs, "inputs")
            function = "none" if form.raw_scores else None

            def write(served: Served, answers: Any) -> Any:
                found = ranked(served.facts, answers, function)
                return found[0] if single else found

            truncate = limits.truncate if form.truncate is None else form.truncate
            return Asked(texts, single, _LOGITS, truncate, write)

        return await answering.answer(request, read, failed=424, too_long=413)

    @router.post("/classify", openapi_extra=_documented(ClassifyForm))
    async def classify(request: Request) -> Response:
        """Score texts in the form of vLLM, or of Infinity if the request has `raw_scores`."""

        def read(body: bytes, served: Served) -> Asked:
            form = parsed(ClassifyForm, body)
            texts, single = Inputs(served.facts.text_columns, limits).texts(form.input, "input")
            raw = form.raw_scores or False in (form.use_activation, form.activation)
            infinity = form.raw_scores is not None
            return Asked(
                texts,
                single,
                _LOGITS,
                limits.truncate,
                lambda served, answers: classified(served.facts, answers, bool(raw), infinity),
            )

        return await answering.answer(request, read)

    @router.post("/v1/labels", openapi_extra=_documented(LabelsForm))
    async def labels(request: Request) -> Response:
        """Return decisions: thresholds and abstention are those of the run."""

        def read(body: bytes, served: Served) -> Asked:
            form = parsed(LabelsForm, body)
            texts, single = Inputs(served.facts.text_columns, limits).texts(form.texts, "texts")

            def write(served: Served, answers: Any) -> Any:
                results = decided(served, answers, form.all_scores, form.min_score)
                return {"results": results, "model": served.facts.name}

            return Asked(texts, single, _DECISIONS, limits.truncate, write)

        return await answering.answer(request, read)

    return router


def status_routes(answering: Answering) -> APIRouter:
    """Return the routes that say what the server is, for the root and for ``/runs/{name}``."""
    router, runs, limits = APIRouter(), answering.runs, answering.limits

    @router.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def person() -> Response:
        return HTMLResponse(page(), headers={"cache-control": "no-cache"})

    @router.get("/info")
    async def info(request: Request) -> Response:
        """Return task, labels, limits, and identity of the model."""
        facts = runs.batcher(request.path_params.get("name")).served.facts
        body = {
            "model_id": facts.name,
            "model_sha": facts.identity,
            "model_type": {"classifier": {"id2label": dict(enumerate(facts.labels))}},
            "task": facts.task,
            "labels": facts.labels,
            "multi_label": facts.multi_label,
            "function_to_apply": facts.function,
            "limits": facts.limits,
            "text_columns": facts.text_columns,
            "backend": facts.backend,
            "device": facts.device,
            "max_input_length": facts.limit,
            "auto_truncate": limits.truncate,
            "max_concurrent_requests": limits.requests,
            "max_batch_tokens": limits.tokens(facts.device),
            "max_client_batch_size": limits.texts,
            "max_body_bytes": limits.body,
            "runs": runs.names(),
        }
        return JSONResponse(body, headers={IDENTITY: facts.identity})

    return router


def health_routes(answering: Answering, stopping: Any) -> APIRouter:
    """Return the routes for whoever runs the server.

    Args:
        answering: the runs and the metrics.
        stopping: returns whether the server is about to stop.
    """
    router, runs = APIRouter(), answering.runs

    @router.get("/health")
    async def health() -> Response:
        """Return 200 while every run answers."""
        if not runs.ready():
            raise unavailable("The model is being loaded")
        if stopping():
            raise Refusal(503, UNHEALTHY, "The server is stopping")
        return Response()

    router.get("/ping")(health)

    @router.get("/metrics")
    async def metrics() -> Response:
        """Return metrics for Prometheus."""
        from clx_runtime.server.metrics import CONTENT_TYPE

        return Response(answering.metrics.text(), headers={"content-type": CONTENT_TYPE})

    return router
