"""The endpoints for whoever runs the server: health, metrics, and the description of all endpoints."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import HTMLResponse, Response

from seqclr.serve.call import Call, as_json
from seqclr.serve.endpoint import Endpoint
from seqclr.serve.openapi import as_html, description


async def health(call: Call) -> Response:
    """Status 200, and 503 where a reader has been predicting one batch for longer than the timeout.

    `drift` of a model says in words that its images have changed; null if they have not.
    """
    stuck = [name for name, reader in call.service.readers.items() if reader.batcher.stuck()]
    readers = {
        name: {"waiting": reader.batcher.waiting, "drift": reader.drift.message()}
        for name, reader in call.service.readers.items()
    }
    body = {"status": f"stuck: {', '.join(stuck)}" if stuck else "ok", "models": readers}
    return as_json(body, 503 if stuck else 200)


async def metrics(call: Call) -> Response:
    return Response(call.service.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def openapi(call: Call) -> Response:
    return as_json(description(list(call.service.readers)))


async def docs(call: Call) -> Response:
    return HTMLResponse(as_html(description(list(call.service.readers))))


ENDPOINTS = [
    Endpoint("/healthz", health, methods=("GET",), bearer=False),
    Endpoint("/metrics", metrics, methods=("GET",)),
    Endpoint("/openapi.json", openapi, methods=("GET",), bearer=False),
    Endpoint("/docs", docs, methods=("GET",), bearer=False),
]
