"""createTask, getTaskResult and reports, as anti-captcha.com, capsolver.com and 2captcha.com (version 2) have them.

The token is the `clientKey`. A task names its reader as `model`, or as `module`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from seqclr.serve.call import Call, as_json, from_base64
from seqclr.serve.endpoint import Endpoint
from seqclr.serve.refusal import Refusal

BALANCE = 1000.0  # nothing is charged, but scripts stop where it is 0
ERRORS = {  # errorId and errorCode by status
    400: (22, "ERROR_TASK_ABSENT"),
    401: (1, "ERROR_KEY_DOES_NOT_EXIST"),
    404: (16, "ERROR_NO_SUCH_CAPCHA_ID"),
    408: (2, "ERROR_NO_SLOT_AVAILABLE"),
    409: (25, "ERROR_REPORT_NOT_RECORDED"),
    413: (4, "ERROR_TOO_BIG_CAPTCHA_FILESIZE"),
    422: (15, "ERROR_IMAGE_TYPE_NOT_SUPPORTED"),
    500: (12, "ERROR_CAPTCHA_UNSOLVABLE"),
    501: (23, "ERROR_TASK_NOT_SUPPORTED"),
    503: (2, "ERROR_NO_SLOT_AVAILABLE"),
    504: (2, "ERROR_NO_SLOT_AVAILABLE"),
}


def refuse(call: Call, refusal: Refusal) -> Response:
    number, code = ERRORS[refusal.status]
    return as_json({"errorId": number, "errorCode": code, "errorDescription": str(refusal)}, refusal.status)


async def opened(call: Call) -> dict[str, Any]:
    """The request's object. Raises Refusal, 401, for a wrong `clientKey`."""
    fields = await call.json()
    if not call.service.knows(fields.get("clientKey")) and not call.service.knows(call.bearer):
        raise Refusal(401, "wrong clientKey: give the token of the server")
    return fields


async def create_task(call: Call) -> Response:
    """Predicts the image of an `ImageToTextTask`; `solution` is in this response, and in those to getTaskResult."""
    task = (await opened(call)).get("task")
    if not isinstance(task, dict):
        raise Refusal(400, "the field 'task' is missing")
    if task.get("type") not in ("ImageToTextTask", "ImageToTextTaskM1"):
        raise Refusal(501, "only tasks of the type ImageToTextTask are predicted")
    model, module = task.get("model"), task.get("module")
    if model is None and isinstance(module, str) and module in call.service.readers:
        model = module
    image = from_base64(task.get("body"), "body")
    solution = await call.answer(image, "the image", model, task=True)
    return as_json({"errorId": 0, "taskId": solution["id"], "status": "ready", "solution": solution})


async def task_result(call: Call) -> Response:
    solution = call.service.results.get((await opened(call)).get("taskId")).fields()
    return as_json({"errorId": 0, "status": "ready", "solution": solution, "cost": "0", "solveCount": 0})


async def balance(call: Call) -> Response:
    await opened(call)
    return as_json({"errorId": 0, "balance": BALANCE, "packages": []})


def report(accepted: bool) -> Callable[[Call], Awaitable[Response]]:
    """The handler that takes a client's report that the site has accepted a text, or refused it."""

    async def take(call: Call) -> Response:
        await call.service.report((await opened(call)).get("taskId"), accepted)
        return as_json({"errorId": 0, "status": "success"})

    return take


async def feedback_task(call: Call) -> Response:
    """Takes a report as capsolver.com has it: whether the `result` is `invalid`."""
    fields = await opened(call)
    result = fields.get("result")
    if not isinstance(result, dict) or not isinstance(result.get("invalid"), bool):
        raise Refusal(400, "the field 'result' has no 'invalid', true or false")
    await call.service.report(fields.get("taskId"), not result["invalid"])
    return as_json({"errorId": 0, "message": "okay"})


ENDPOINTS = [
    Endpoint("/createTask", create_task, refuse, bearer=False),
    Endpoint("/getTaskResult", task_result, refuse, bearer=False),
    Endpoint("/getBalance", balance, refuse, bearer=False),
    Endpoint("/reportCorrect", report(accepted=True), refuse, bearer=False),
    Endpoint("/reportIncorrect", report(accepted=False), refuse, bearer=False),
    Endpoint("/reportIncorrectImageCaptcha", report(accepted=False), refuse, bearer=False),
    Endpoint("/feedbackTask", feedback_task, refuse, bearer=False),
]
