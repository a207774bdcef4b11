"""The endpoint of seqclr's own: images in, JSON out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

from seqclr.serve.call import Call, Part, as_json
from seqclr.serve.endpoint import Endpoint
from seqclr.serve.refusal import Refusal

if TYPE_CHECKING:
    from seqclr.reading import Prediction


async def predict(call: Call) -> Response:
    """Predicts the image that is the body, or the files of a form.

    A single image gives `text`, `confidence`, `accept` and `model`. Several files give a list of these, in their order;
    a file that cannot be read has `error` and `status` in its place.
    """
    if call.content_type != "multipart/form-data":
        return as_json(described(*await call.predict(call.body, "the image")))
    files = [part for part in await call.form() if part.file is not None or part.name in ("file", "image")]
    if not files:
        raise Refusal(422, "the form holds no file: send the image as the field 'file'")
    call.service.reader(call.fields.get("model"))
    if len(files) == 1:
        return as_json(described(*await call.predict(files[0].data, name_of(files[0]))))
    return as_json({"predictions": await asyncio.gather(*(predict_one(call, file) for file in files))})


async def predict_one(call: Call, file: Part) -> dict:
    try:
        return {"file": name_of(file), **described(*await call.predict(file.data, name_of(file)))}
    except Refusal as refusal:
        return {"file": name_of(file), "error": str(refusal), "status": refusal.status}


def name_of(file: Part) -> str:
    return file.file or file.name


def described(model: str, prediction: Prediction) -> dict:
    text, confidence, accept = prediction
    return {"text": text, "confidence": round(float(confidence), 4), "accept": bool(accept), "model": model}


ENDPOINTS = [Endpoint("/v1/predict", predict)]
