"""The `/ocr` endpoints of the servers of ddddocr.

- `/ocr/file` and `/ocr/b64`, each also with `/text` or `/json`, as in ocr_api_server.
- `/ocr` with a form, `file` or `image` in base64, as in ddddocr-fastapi.
- `/ocr` with JSON, `image` in base64, as in the server of ddddocr itself and that of its version in Rust.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from seqclr.serve.call import Call, Part, as_json, from_base64
from seqclr.serve.endpoint import Endpoint
from seqclr.serve.refusal import Refusal

RESTRICTING = ("charsets", "charset_range", "color_filter", "color_filter_colors", "color_filter_custom_ranges")


async def ocr(call: Call) -> Response:
    """The text of an image, in the shape of the request."""
    if call.content_type == "application/json":
        fields = await call.json()
        image, model = from_base64(fields.get("image"), "image"), fields.get("model")
    else:
        parts = await call.form() if call.body else []
        fields, model = call.fields, None
        file = file_of(parts)
        image = file.data if file else from_base64(fields.get("image"), "image")
    check_options(fields)
    _, prediction = await call.predict(image, "the image", model)
    return in_shape(call, 200, prediction.text, "Success")


def check_options(fields: dict) -> None:
    """Raises Refusal, 400, for an option that changes the result and that readers do not have."""
    if str(fields.get("probability") or "false").lower() not in ("false", "0"):
        raise Refusal(400, "probability is not offered: /v1/predict gives the confidence of the text")
    for name in RESTRICTING:
        if fields.get(name):
            raise Refusal(400, f"{name} is not offered: export a reader with its charset")


def in_shape(call: Call, status: int, text: str | None, message: str) -> Response:
    if call.content_type != "application/json":
        return as_json({"code": status, "message": message, "data": text}, status)
    found = {"text": text, "probability": None}
    body = {"success": status == 200, "message": message, "data": found if status == 200 else None}
    return as_json(body | found, status)


async def ocr_file(call: Call) -> Response:
    file = file_of(await call.form())
    if file is None:
        raise Refusal(422, "the form holds no file: send the image as the field 'image'")
    return await answered(call, file.data)


async def ocr_base64(call: Call) -> Response:
    return await answered(call, from_base64(call.body, "the body"))


async def answered(call: Call, image: bytes) -> Response:
    _, prediction = await call.predict(image, "the image")
    if wants_json(call):
        return as_json({"status": 200, "result": prediction.text, "msg": ""})
    return PlainTextResponse(prediction.text.encode("utf-8", "replace"))


def refuse_answer(call: Call, refusal: Refusal) -> Response:
    if wants_json(call):
        return as_json({"status": refusal.status, "result": "", "msg": str(refusal)}, refusal.status)
    return PlainTextResponse("", refusal.status)


def wants_json(call: Call) -> bool:
    return call.request.url.path.endswith("/json")


def file_of(parts: list[Part]) -> Part | None:
    """The first file of a form."""
    return next((part for part in parts if part.file is not None), None)


async def ping(call: Call) -> Response:
    return PlainTextResponse("pong")


def refuse(call: Call, refusal: Refusal) -> Response:
    return in_shape(call, refusal.status, None, str(refusal))


ENDPOINTS = [
    Endpoint("/ocr", ocr, refuse),
    *(Endpoint(f"/ocr/file{form}", ocr_file, refuse_answer) for form in ("", "/text", "/json")),
    *(Endpoint(f"/ocr/b64{form}", ocr_base64, refuse_answer) for form in ("", "/text", "/json")),
    Endpoint("/ping", ping, methods=("GET",), bearer=False),
]
