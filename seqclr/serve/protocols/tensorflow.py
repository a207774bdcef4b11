"""`/v1/models/NAME:predict`, as TensorFlow Serving has it for an export of the format savedmodel.

Images are bytes in base64, `{"b64": ...}`, the input `image_bytes`.
"""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from seqclr.serve.call import Call, as_json, from_base64
from seqclr.serve.endpoint import Endpoint
from seqclr.serve.refusal import Refusal

INPUT, SIGNATURE = "image_bytes", "serving_default"
MOST = 64  # images of a request


async def predict(call: Call) -> Response:
    """Predicts `instances`, a list of images, or `inputs`, the same as columns."""
    fields = await call.json()
    name = call.request.path_params["name"]
    if fields.get("signature_name", SIGNATURE) != SIGNATURE:
        raise Refusal(400, f"only the signature {SIGNATURE} is offered")
    columns = "inputs" in fields
    rows = fields["inputs"] if columns else fields.get("instances")
    rows = rows.get(INPUT) if columns and isinstance(rows, dict) and INPUT in rows else rows
    rows = [rows] if columns and isinstance(rows, dict) else rows
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST:
        raise Refusal(400, f"give a list of 1 to {MOST} images as 'instances', or as the '{INPUT}' of 'inputs'")
    images = [image_of(row, f"image {number}") for number, row in enumerate(rows)]
    call.service.reader(name)
    jobs = [call.answer(image, f"image {number}", name) for number, image in enumerate(images)]
    found = await asyncio.gather(*jobs, return_exceptions=True)  # all of them end before the first error is raised
    for each in found:
        if isinstance(each, BaseException):
            raise each
    if not columns:
        return as_json({"predictions": found})
    return as_json({"outputs": {name: [each[name] for each in found] for name in found[0]}})


def image_of(row: object, what: str) -> bytes:
    """The bytes of an instance: `{"b64": ...}`, or that as its `image_bytes`."""
    row = row.get(INPUT, row) if isinstance(row, dict) else row
    if not isinstance(row, dict):
        raise Refusal(400, f'{what} is not an object: give {{"b64": BASE64}}')
    return from_base64(row.get("b64"), what)


async def status(call: Call) -> Response:
    """Whether a reader is served."""
    call.service.reader(call.request.path_params["name"])
    state = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    return as_json({"model_version_status": [state]})


ENDPOINTS = [
    Endpoint("/v1/models/{name}:predict", predict),
    Endpoint("/v1/models/{name}", status, methods=("GET",)),
]
