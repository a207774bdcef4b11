"""The endpoints of seqclr's own: images in, JSON out; and feedback on the answers."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from seqclr.serve.call import Call, Part, as_json
from seqclr.serve.endpoint import Endpoint
from seqclr.serve.refusal import Refusal


async def predict(call: Call) -> Response:
    """Predicts the image that is the body, or the files of a form.

    A single image gives `text`, `confidence`, `accept`, `model` and the `id` for feedback. Several files give a list of
    these, in their order; a file that cannot be read has `error` and `status` in its place.
    """
    if call.content_type != "multipart/form-data":
        return as_json(await call.answer(call.body, "the image"))
    files = [part for part in await call.form() if part.file is not None or part.name in ("file", "image")]
    if not files:
        raise Refusal(422, "the form holds no file: send the image as the field 'file'")
    call.service.reader(call.fields.get("model"))
    if len(files) == 1:
        return as_json(await call.answer(files[0].data, name_of(files[0])))
    return as_json({"predictions": await asyncio.gather(*(predict_one(call, file) for file in files))})


async def predict_one(call: Call, file: Part) -> dict:
    try:
        return {"file": name_of(file), **await call.answer(file.data, name_of(file))}
    except Refusal as refusal:
        return {"file": name_of(file), "error": str(refusal), "status": refusal.status}


def name_of(file: Part) -> str:
    return file.file or file.name


async def feedback(call: Call) -> Response:
    """Takes the report of a client: `id` of an answer, and `accepted`, whether the site accepted its text."""
    fields = await call.json()
    number, accepted = fields.get("id"), fields.get("accepted")
    if number is None or not isinstance(accepted, bool):
        raise Refusal(400, 'give {"id": the id of an answer, "accepted": true or false}')
    return as_json({"id": number, "accepted": accepted, "kept": await call.service.report(number, accepted)})


ENDPOINTS = [Endpoint("/v1/predict", predict), Endpoint("/v1/feedback", feedback)]
