"""An endpoint: from a request to a response, with token, limits and metrics."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from seqclr.messages import LOGGER
from seqclr.serve.call import Call, Service, as_json
from seqclr.serve.refusal import Refusal

RETRY = {"Retry-After": "1"}


def refuse_as_json(call: Call, refusal: Refusal) -> Response:
    return as_json({"error": str(refusal)}, refusal.status)


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A path and its handler.

    handle: the response to a call, or a Refusal. refuse: the response to a refused call. bearer: whether the token is
    expected in the header `Authorization`; otherwise the handler checks it.
    """

    path: str
    handle: Callable[[Call], Awaitable[Response]]
    refuse: Callable[[Call, Refusal], Response] = refuse_as_json
    methods: Sequence[str] = ("POST",)
    bearer: bool = True

    async def respond(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        call = Call(service, Request(scope, receive))
        try:
            status, response = await self._outcome(call)
        except ClientDisconnect:
            status, response = 499, None  # the status of nginx for a client that has gone
        if response is not None:
            if call.close:
                response.headers["Connection"] = "close"
            await response(scope, receive, send)
        service.metrics.requests.labels(self.path, status).inc()
        service.metrics.seconds.labels(self.path).observe(time.perf_counter() - start)

    async def _outcome(self, call: Call) -> tuple[int, Response]:
        try:
            if self.bearer and not call.service.knows(call.bearer):
                with suppress(Refusal):
                    await call.read(0)
                raise Refusal(401, "wrong token or none: send the header 'Authorization: Bearer TOKEN'")
            await call.read(call.service.max_bytes)
            response = await self.handle(call)
            return response.status_code, response
        except Refusal as refusal:
            response = self.refuse(call, refusal)
            if refusal.status == 503:
                response.headers.update(RETRY)
            if refusal.status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
            return refusal.status, response
        except ClientDisconnect:
            raise
        except Exception as error:
            LOGGER.error(f"{self.path} failed", exc_info=error)
            return 500, self.refuse(call, Refusal(500, f"the server failed ({type(error).__name__})"))
