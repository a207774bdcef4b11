"""A request: its body within limits, its fields and images."""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import hmac
import json
import logging
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import anyio
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from seqclr.serve.metrics import Metrics
from seqclr.serve.refusal import Refusal
from seqclr.serve.reload import ServedReader
from seqclr.serve.results import Answer, Results

if TYPE_CHECKING:
    from seqclr.reading import Prediction

MAX_PARTS = 64  # files and fields of a form
SMALL = 65_536  # bytes; larger bodies are parsed in a thread
DISCARDED = 10  # times `max_bytes`: so much of a body that is too long is read before the connection is closed
URL_SAFE = bytes.maketrans(b"-_", b"+/")  # the other alphabet of base64
OUTCOMES = ("refused", "accepted")  # by whether a site accepted the text
T = TypeVar("T")

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # malformed forms are answered, not logged


class Part(NamedTuple):
    """A field or file of a form. file: the name of the file, None for a field."""

    name: str
    file: str | None
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


@dataclasses.dataclass
class Service:
    """What all endpoints share. The first of the readers predicts where a request names none.

    token: required of every request, if given. max_bytes: of a request's body. timeout: seconds for receiving a body.
    """

    readers: Mapping[str, ServedReader]
    metrics: Metrics
    max_bytes: int
    timeout: float
    token: str | None = None
    results: Results = dataclasses.field(default_factory=Results)

    def knows(self, token: object) -> bool:
        """Whether this is the token; true if none is required."""
        return self.token is None or (isinstance(token, str) and is_token(token, self.token))

    def reader(self, name: object = None) -> ServedReader:
        """The reader of a name, or the first. Raises Refusal, 404, for a name that does not exist."""
        if name is None or name == "":
            return next(iter(self.readers.values()))
        if not isinstance(name, str) or name not in self.readers:
            raise Refusal(404, f"there is no model '{name}': choose from {', '.join(self.readers)}")
        return self.readers[name]

    async def predict(self, data: bytes, name: str, model: object = None) -> tuple[ServedReader, Prediction]:
        """The reader, and its prediction for an image file."""
        reader = self.reader(model)
        prediction = await reader.batcher.predict(data, name)
        reader.drift.add_confidence(prediction.confidence)
        return reader, prediction

    async def report(self, number: object, accepted: bool) -> bool:
        """Takes a client's report on the answer of an id; returns whether the image was kept.

        The same report again changes nothing. Raises Refusal: 404, and 409 for a contradicting report.
        """
        answer = self.results.get(number)
        if answer.accepted is not None:
            if answer.accepted != accepted:
                raise Refusal(409, f"{number!s:.40} was reported as {OUTCOMES[answer.accepted]} before")
            return answer.kept
        answer.accepted, reader = accepted, self.readers[answer.model]
        self.metrics.feedback.labels(reader.name, OUTCOMES[accepted]).inc()
        reader.drift.add_outcome(accepted)
        image = self.results.take_image(answer.id)
        if reader.keeper is not None and image is not None and answer.text:
            answer.kept = await reader.keeper.keep(answer.id, image, answer.text, accepted)
        return answer.kept


class Call:
    """One request to an endpoint."""

    def __init__(self, service: Service, request: Request):
        self.service, self.request = service, request
        self.body = b""
        self.fields: dict[str, str] = dict(request.query_params)  # those of a form are added when it is parsed
        self.close = False  # whether the connection is closed after the response

    @property
    def bearer(self) -> str | None:
        """The token of the header `Authorization`, in UTF-8."""
        header = self.request.headers.get("authorization", "").encode("latin-1").decode("utf-8", "replace")
        scheme, _, token = header.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    @property
    def content_type(self) -> str:
        return self.request.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def read(self, limit: int) -> None:
        """Reads the body. Raises Refusal, 413 or 408, and ClientDisconnect.

        The rest of a body that is too long is read and discarded, so that the client reads the response.
        """
        chunks, size, more = [], 0, True
        too_long = Refusal(413, f"the request has more than {limit} bytes: send a smaller image, or fewer")
        length = self.request.headers.get("content-length", "")
        if "expect" in self.request.headers and length.isdecimal() and int(length) > limit:
            self.close = True  # the client waits with the body for a response
            raise too_long
        try:
            with anyio.fail_after(self.service.timeout):
                while more and size <= DISCARDED * self.service.max_bytes:
                    message = await self.request.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    size += len(message.get("body", b""))
                    more = message.get("more_body", False)
                    if size <= limit:
                        chunks.append(message.get("body", b""))
        except TimeoutError:
            self.close = True
            raise Refusal(408, f"the request was not received within {self.service.timeout:g} s") from None
        if size > limit:
            self.close = more
            raise too_long
        self.body = b"".join(chunks)

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refusal, 400, for anything else."""

        def parse() -> dict[str, Any]:
            try:
                value = json.loads(self.body)
            except (ValueError, RecursionError):
                raise Refusal(400, "the body is not JSON") from None
            if not isinstance(value, dict):
                raise Refusal(400, "the body is not a JSON object")
            return value

        return await self._aside(parse)

    async def form(self) -> list[Part]:
        """The parts of a form, multipart or urlencoded. Raises Refusal, 400, for a malformed one."""
        _, options = parse_options_header(self.request.headers.get("content-type", ""))
        parts = await self._aside(lambda: parse_form(self.body, self.content_type, options.get(b"boundary")))
        self.fields |= {part.name: part.text for part in parts if part.file is None}
        return parts

    async def _aside(self, parse: Callable[[], T]) -> T:
        """The result of parsing, in a thread where the body is large, so that other requests go on."""
        return parse() if len(self.body) <= SMALL else await asyncio.to_thread(parse)

    async def predict(self, data: bytes, name: str, model: object = None) -> tuple[ServedReader, Prediction]:
        return await self.service.predict(data, name, self.fields.get("model") if model is None else model)

    async def answer(self, data: bytes, name: str, model: object = None, task: bool = False) -> dict:
        """The prediction for an image file as a JSON object, with the `id` for feedback, or for fetching a task."""
        reader, (text, confidence, accept) = await self.predict(data, name, model)
        answer = Answer(text, round(float(confidence), 4), bool(accept), reader.name)
        self.service.results.add(answer, data if reader.keeper is not None else None, task)
        return answer.fields()


def parse_form(body: bytes, content_type: str, boundary: bytes | None) -> list[Part]:
    """The parts of a form. Raises Refusal, 400."""
    try:
        if content_type == "multipart/form-data":
            return parse_multipart(body, boundary)
        pairs = urllib.parse.parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_PARTS)
    except (ValueError, AssertionError) as error:  # FormParserError is a ValueError
        raise Refusal(400, f"the body is not a form that can be read ({error})") from None
    return [Part(name.decode("utf-8", "replace"), None, value) for name, value in pairs]


def parse_multipart(body: bytes, boundary: bytes | None) -> list[Part]:
    parts: list[Part] = []

    def add(name: bytes | None, file: bytes | None, data: bytes) -> None:
        if len(parts) == MAX_PARTS:
            raise Refusal(400, f"the form has more than {MAX_PARTS} parts: send several requests")
        file_name = None if file is None else file.decode("utf-8", "replace")
        parts.append(Part((name or b"").decode("utf-8", "replace"), file_name, data))

    def add_file(file: File) -> None:
        file.file_object.seek(0)
        add(file.field_name, file.file_name, file.file_object.read())
        file.close()

    def add_field(field: Field) -> None:
        add(field.field_name, None, field.value or b"")

    keep = {"MAX_MEMORY_FILE_SIZE": len(body) + 1}  # the body is within its limit: no temporary files
    parser = FormParser("multipart/form-data", add_field, add_file, boundary=boundary, config=keep)
    parser.write(body)
    parser.finalize()
    return parts


def from_base64(text: object, what: str) -> bytes:
    """The bytes that base64 stands for, also as a data URL. Raises Refusal: 400 without text, 422 if malformed."""
    if not isinstance(text, str | bytes):
        raise Refusal(400, f"{what} is missing: give the image file as base64")
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if data[:5] == b"data:":
        data = data.partition(b",")[2]
    data = b"".join(data.replace(b" ", b"+").split()).rstrip(b"=")  # an urlencoded form turns + into a space
    padded = data.translate(URL_SAFE) + b"=" * (-len(data) % 4)
    try:
        return base64.b64decode(padded, validate=True)
    except binascii.Error:
        raise Refusal(422, f"{what} is not base64") from None


def is_token(given: str, token: str) -> bool:
    """Whether the given text is the token, compared in constant time."""
    return hmac.compare_digest(*(text.encode("utf-8", "surrogatepass") for text in (given, token)))


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response of JSON, in ASCII: no character in it can fail to be encoded."""
    return Response(json.dumps(value), status, headers, media_type="application/json")
