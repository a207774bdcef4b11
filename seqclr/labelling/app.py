"""The requests of the web page: its files, images, labels and progress.

All paths begin with a random token, which the address that the user opens has. A request must be for an address of this
machine (so that no other site can name it, DNS rebinding), and one that changes something must come from the web page
itself: it repeats the token in a header, which other sites cannot send.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from seqclr.errors import UserError, printable
from seqclr.files import NotWritten
from seqclr.labelling.session import Change, Session, Stale
from seqclr.serve.call import as_json, is_token

TOKEN_HEADER = "x-seqclr-token"
MAX_BYTES = 2_000_000  # of a request: a page of the grid has some hundred labels
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
CACHED = {"Cache-Control": "private, max-age=86400"}  # of images: addresses differ in every session


class Guard:
    """Answers only requests for this machine that have the token; adds HEADERS to every response."""

    def __init__(self, app: ASGIApp, token: str, port: int):
        self.app, self.token = app, token
        names = ("127.0.0.1", "localhost", "[::1]")
        self.hosts = {f"{name}:{port}" for name in names}.union(names if port == 80 else ())  # browsers leave :80 out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        refusal = self.refusal(Request(scope))
        app = self.app if refusal is None else PlainTextResponse(f"{refusal}\n", 403)

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *(pair for pair in added if pair[0] not in present)]
            await send(message)

        await app(scope, receive, send_with_headers)

    def refusal(self, request: Request) -> str | None:
        """Why a request is refused; None if it is not."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if host not in self.hosts:
            return "the request is for another host: open the address that `seqclr label` has printed"
        if origin not in (None, f"http://{host}"):
            return "the request comes from another site"
        if not is_token(request.scope["path"][1:].partition("/")[0], self.token):
            return "the token is wrong: open the address that `seqclr label` has printed last"
        if request.method not in ("GET", "HEAD") and not is_token(request.headers.get(TOKEN_HEADER, ""), self.token):
            return f"the header {TOKEN_HEADER} is missing or wrong"
        return None


def application(session: Session, token: str, port: int) -> ASGIApp:
    """The ASGI application of a session, under the path /TOKEN/."""

    def image(request: Request) -> Response:
        index = number(request.path_params["index"])
        if index is None or index >= len(session.images):
            raise HTTPException(404, "there is no such image")
        png = session.images.png(index, thumbnail="thumbnail" in request.query_params)
        return Response(png, media_type="image/png", headers=CACHED)

    def state(request: Request) -> Response:
        return as_json(session.changes(number(request.query_params.get("since", "")) or 0))

    def findings(request: Request) -> Response:
        return as_json(session.findings())

    async def label(request: Request) -> Response:
        changes = parse(await body(request))
        await run_in_threadpool(session.label, changes)
        return as_json({"recorded": len(changes)})

    routes = [
        *(Route(f"/{token}/{path}", functools.partial(sent, *of)) for path, *of in static_files()),
        Route(f"/{token}/images/{{index}}", image),
        Route(f"/{token}/state", state),
        Route(f"/{token}/findings", findings),
        Route(f"/{token}/labels", label, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {UserError: refused, NotWritten: not_written, Stale: stale, HTTPException: no_such_path}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), token, port)


def static_files() -> Iterator[tuple[str, bytes, str]]:
    """The path, content and type of each file of the web page; the path of index.html is empty."""
    for file in resources.files("seqclr.labelling").joinpath("page").iterdir():
        media_type = TYPES.get(Path(file.name).suffix)
        if media_type:
            yield "" if file.name == "index.html" else file.name, file.read_bytes(), media_type


def sent(data: bytes, media_type: str, request: Request) -> Response:
    return Response(data, media_type=media_type)


def number(text: str) -> int | None:
    """The number of a request; None where it is none, or longer than any here."""
    return int(text) if text.isdecimal() and len(text) < 20 else None


async def body(request: Request) -> bytes:
    """The body of a request. Raises HTTPException, 413."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BYTES:
            raise HTTPException(413, f"the request has more than {MAX_BYTES} bytes")
    return bytes(data)


def parse(data: bytes) -> list[Change]:
    """The changes in `{"changes": [{"image", "revision", "text", "source"}]}`. Raises HTTPException, 400."""
    try:
        changes = [Change(**each) for each in json.loads(data)["changes"]]
        for change in changes:
            kinds = ((int,), (int,), (str, type(None)), (str,))
            if not all(type(value) in kind for value, kind in zip(change, kinds)):  # True is an instance of int
                raise TypeError("a value of another type")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HTTPException(400, f"the request is not a list of labels ({error})") from None
    if len({change.image for change in changes}) < len(changes):
        raise HTTPException(400, "the request has two labels for one image")
    return changes


def refused(request: Request, error: UserError) -> Response:
    return as_json({"error": str(error)}, 422)


def not_written(request: Request, error: NotWritten) -> Response:
    return as_json({"error": printable(str(error))}, 507)


def stale(request: Request, error: Stale) -> Response:
    return as_json({"error": str(error), "images": error.images}, 409)


def no_such_path(request: Request, error: HTTPException) -> Response:
    return as_json({"error": error.detail}, error.status_code)
