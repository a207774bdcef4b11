"""in.php and res.php, as 2captcha.com (version 1) has them.

The token is `key`. The HTTP status is always 200, as clients expect; what went wrong is the text of the response.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from seqclr.serve.call import Call, as_json, from_base64
from seqclr.serve.endpoint import Endpoint
from seqclr.serve.protocols.tasks import BALANCE
from seqclr.serve.refusal import Refusal

ERRORS = {
    400: "ERROR_BAD_PARAMETERS",
    401: "ERROR_KEY_DOES_NOT_EXIST",
    404: "ERROR_WRONG_CAPTCHA_ID",
    408: "ERROR_UPLOAD",
    409: "ERROR_DUPLICATE_REPORT",
    413: "ERROR_TOO_BIG_CAPTCHA_FILESIZE",
    422: "ERROR_IMAGE_TYPE_NOT_SUPPORTED",
    500: "ERROR_CAPTCHA_UNSOLVABLE",
    503: "ERROR_NO_SLOT_AVAILABLE",
    504: "ERROR_NO_SLOT_AVAILABLE",
}


def reply(call: Call, text: str, ok: bool = True, **more: object) -> Response:
    """The response as text, or with `json=1` as JSON."""
    if call.fields.get("json") == "1":
        return as_json({"status": int(ok), "request": text, **more})
    return PlainTextResponse(f"OK|{text}" if ok else text)


def refuse(call: Call, refusal: Refusal) -> Response:
    return reply(call, ERRORS[refusal.status], ok=False, error_text=str(refusal))


def check_key(call: Call) -> None:
    if not call.service.knows(call.fields.get("key")) and not call.service.knows(call.bearer):
        raise Refusal(401, "wrong key: give the token of the server")


async def submit(call: Call) -> Response:
    """Predicts an image: the field `file` of a form, or `body` in base64 with `method=base64`."""
    parts = await call.form() if call.body else []
    check_key(call)
    method = call.fields.get("method", "post")
    if method == "base64":
        image = from_base64(call.fields.get("body"), "body")
    elif method == "post":
        image = next((part.data for part in parts if part.file is not None or part.name == "file"), None)
        if image is None:
            raise Refusal(400, "the field 'file' is missing")
    else:
        raise Refusal(400, "only the methods post and base64 are offered")
    return reply(call, str((await call.answer(image, "the image", task=True))["id"]))


async def fetch(call: Call) -> Response:
    """The text of a prediction, the balance, or the receipt of a report."""
    if call.body:
        await call.form()
    check_key(call)
    action = call.fields.get("action", "get")
    if action == "getbalance":
        return reply(call, str(BALANCE))
    number = call.fields.get("id")
    if action == "get":
        return reply(call, call.service.results.get(number).text)
    if action in ("reportbad", "reportgood"):
        await call.service.report(number, accepted=action == "reportgood")
        return reply(call, "OK_REPORT_RECORDED", ok=call.fields.get("json") == "1")
    raise Refusal(400, "only the actions get, getbalance, reportbad and reportgood are offered")


ENDPOINTS = [
    Endpoint("/in.php", submit, refuse, bearer=False),
    Endpoint("/res.php", fetch, refuse, methods=("GET", "POST"), bearer=False),
]
