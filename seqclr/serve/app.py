"""The application: all endpoints, and the readers that are watched while it runs."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from seqclr.serve.call import Service, as_json
from seqclr.serve.endpoint import Endpoint
from seqclr.serve.protocols import ddddocr, in_res, operation, predict, tasks, tensorflow

ENDPOINTS = [  # the most frequent first: they are tried in this order
    *(endpoint for module in (predict, tasks, in_res, ddddocr, tensorflow, operation) for endpoint in module.ENDPOINTS)
]


class At:
    """An endpoint of a service as an ASGI application: Starlette wraps functions, at a cost for each request."""

    def __init__(self, endpoint: Endpoint, service: Service):
        self.endpoint, self.service = endpoint, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.endpoint.respond(self.service, scope, receive, send)


def application(service: Service) -> Starlette:
    """The ASGI application of the readers of a service."""
    routes = [Route(each.path, At(each, service), methods=each.methods, name=each.path) for each in ENDPOINTS]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette):
        keepers = [reader.keeper for reader in service.readers.values() if reader.keeper is not None]
        watches = [asyncio.create_task(each.watch()) for each in (*service.readers.values(), *keepers)]
        yield
        for watch in watches:
            watch.cancel()
        for reader in service.readers.values():
            reader.batcher.close()
        for keeper in keepers:
            keeper.close()

    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: not_found})


async def not_found(request: Request, error: HTTPException) -> Response:
    """The response for a path or method that does not exist."""
    message = {404: "there is no such path: see /docs", 405: "this path takes another method: see /docs"}
    return as_json({"error": message.get(error.status_code, error.detail)}, error.status_code, error.headers)
