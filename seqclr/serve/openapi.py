"""The description of the endpoints (OpenAPI 3.1), and its page, which loads nothing from elsewhere."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

from seqclr import __version__

TEXT, BYTES = {"type": "string"}, {"type": "string", "format": "binary"}
BASE64 = {"type": "string", "contentEncoding": "base64"}
PREDICTION = {
    "type": "object",
    "properties": {
        "text": TEXT,
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "accept": {"type": "boolean", "description": "false: ask for another image"},
        "model": TEXT,
        "id": {"type": "integer", "description": "for feedback, for five minutes, the latest 10,000 at most"},
    },
}
REFUSALS = {
    400: "The request is malformed.",
    401: "Wrong token or none.",
    404: "There is no model or task of this name.",
    408: "The request arrives too slowly.",
    409: "The answer was reported otherwise before.",
    413: "The request has too many bytes.",
    422: "There is no image that can be read, or it has too many pixels.",
    500: "The reader or the server failed.",
    501: "Tasks of this type are not offered.",
    503: "Too many images are waiting.",
    504: "No prediction in time.",
}


def item(**properties: dict) -> dict:
    return {"type": "object", "properties": properties}


def endpoint(summary: str, inputs: dict[str, dict], output: dict | str, method: str = "post", parameters=()) -> dict:
    """A path with one method. inputs: schemas by media type. output: schema of JSON, or a media type."""
    content = {output: {"schema": TEXT}} if isinstance(output, str) else {"application/json": {"schema": output}}
    error = {"application/json": {"schema": item(error=TEXT)}}
    described = {"summary": summary, "parameters": list(parameters)}
    if inputs:
        body = {kind: {"schema": schema} for kind, schema in inputs.items()}
        described["requestBody"] = {"required": True, "content": body}
    refusals = {str(status): {"description": text, "content": error} for status, text in REFUSALS.items()}
    described["responses"] = {"200": {"description": "Done.", "content": content}, **(refusals if inputs else {})}
    return {method: described}


def description(models: Sequence[str]) -> dict:
    """All endpoints. models: the names of the readers; the first is the default."""
    model = {"type": "string", "enum": list(models), "default": models[0]}
    query = [{"name": "model", "in": "query", "required": False, "schema": model}]
    path = [{"name": "name", "in": "path", "required": True, "schema": model}]
    file, form, js = "multipart/form-data", "application/x-www-form-urlencoded", "application/json"
    task = item(type={"const": "ImageToTextTask"}, body=BASE64, model=model)
    one_of_several = item(file=TEXT, **PREDICTION["properties"], error=TEXT, status={"type": "integer"})
    result = item(errorId={"type": "integer"}, taskId={"type": "integer"}, status=TEXT, solution=PREDICTION)
    answer = item(status={"type": "integer"}, result=TEXT, msg=TEXT)
    by_id = {js: item(clientKey=TEXT, taskId={"type": "integer"})}
    row = item(b64=BASE64)
    kept = {"type": "boolean", "description": "whether the image was written to the folder of --keep"}
    paths = {
        "/v1/predict": endpoint(
            "Predicts an image: the body of the request, or the files of a form. Several files give a list, with error "
            "and status for one that is refused.",
            {"image/*": BYTES, file: item(file={"type": "array", "items": BYTES}, model=model)},
            {"oneOf": [PREDICTION, item(predictions={"type": "array", "items": one_of_several})]},
            parameters=query,
        ),
        "/v1/feedback": endpoint(
            "Takes the outcome of an answer: whether the site accepted its text.",
            {js: item(id={"type": "integer"}, accepted={"type": "boolean"})},
            item(id={"type": "integer"}, accepted={"type": "boolean"}, kept=kept),
        ),
        "/createTask": endpoint(
            "Predicts an image, as services for captchas have it.", {js: item(clientKey=TEXT, task=task)}, result
        ),
        "/getTaskResult": endpoint("The result of a task, for five minutes.", by_id, result),
        "/getBalance": endpoint(
            "A balance; nothing is charged.", {js: item(clientKey=TEXT)}, item(balance={"type": "number"})
        ),
        "/reportCorrect": endpoint("Takes the report that a text was accepted.", by_id, item(status=TEXT)),
        "/reportIncorrect": endpoint("Takes the report that a text was refused.", by_id, item(status=TEXT)),
        "/reportIncorrectImageCaptcha": endpoint("The same, by its older name.", by_id, item(status=TEXT)),
        "/feedbackTask": endpoint(
            "Takes either report, as capsolver.com has it.",
            {js: item(clientKey=TEXT, taskId={"type": "integer"}, result=item(invalid={"type": "boolean"}))},
            item(message=TEXT),
        ),
        "/in.php": endpoint(
            "Predicts an image, as 2captcha.com has it: a file, or `method=base64` and `body`.",
            {file: item(key=TEXT, file=BYTES), form: item(key=TEXT, method=TEXT, body=BASE64, json=TEXT)},
            "text/plain",
        ),
        "/res.php": endpoint(
            "The text of an image given to in.php.",
            {},
            "text/plain",
            "get",
            [{"name": name, "in": "query", "schema": TEXT} for name in ("key", "action", "id", "json")],
        ),
        "/ocr": endpoint(
            "Predicts an image, as servers of ddddocr have it.",
            {file: item(file=BYTES), form: item(image=BASE64), js: item(image=BASE64)},
            {
                "oneOf": [
                    item(code={"type": "integer"}, message=TEXT, data=TEXT),
                    item(success={"type": "boolean"}, message=TEXT, data=item(text=TEXT), text=TEXT),
                ]
            },
            parameters=query,
        ),
        "/v1/models/{name}:predict": endpoint(
            "Predicts images, as TensorFlow Serving has it.",
            {js: item(instances={"type": "array", "items": row})},
            item(predictions={"type": "array", "items": PREDICTION}),
            parameters=path,
        ),
        "/v1/models/{name}": endpoint(
            "Whether a reader is served.", {}, item(model_version_status={"type": "array"}), "get", path
        ),
        "/ping": endpoint("Whether the server answers, as ocr_api_server has it.", {}, "text/plain", "get"),
        "/healthz": endpoint("Whether the readers predict.", {}, item(status=TEXT), "get"),
        "/metrics": endpoint("Metrics in the format of Prometheus.", {}, "text/plain", "get"),
    }
    for form_of in ("", "/text", "/json"):
        output = answer if form_of == "/json" else "text/plain"
        summary = f"The prediction as {form_of[1:] or 'text'}, as ocr_api_server has it."
        paths[f"/ocr/file{form_of}"] = endpoint(summary, {file: item(image=BYTES)}, output, parameters=query)
        paths[f"/ocr/b64{form_of}"] = endpoint(summary, {"text/plain": BASE64}, output, parameters=query)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "seqclr serve",
            "version": __version__,
            "description": "Predicts the text in images. Use it only for web pages where you may log in.",
        },
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}, {}],
        "paths": paths,
    }


def as_html(described: dict) -> str:
    """The description as HTML."""
    rows = []
    for path, methods in described["paths"].items():
        for method, each in methods.items():
            inputs = each.get("requestBody", {}).get("content", {})
            takes = "".join(f"<li><code>{kind}</code> {shown(value['schema'])}</li>" for kind, value in inputs.items())
            takes += "".join(f"<li>{p['in']} <code>{p['name']}</code></li>" for p in each["parameters"])
            gives = each["responses"]["200"]["content"]
            gives = "".join(f"<li><code>{kind}</code> {shown(value['schema'])}</li>" for kind, value in gives.items())
            rows.append(f"<tr><td><code>{method.upper()} {path}</code><p>{html.escape(each['summary'])}</p></td>")
            rows.append(f"<td><ul>{takes}</ul></td><td><ul>{gives}</ul></td></tr>")
    refusals = "".join(f"<li>{status}: {text}</li>" for status, text in REFUSALS.items())
    info = described["info"]
    style = "body{font-family:sans-serif;margin:2em}td{vertical-align:top;padding:.3em 1em;border-top:1px solid #ccc}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{info['title']}</title><style>{style}</style>"
        f"<h1>{info['title']} {info['version']}</h1><p>{info['description']} <a href=openapi.json>openapi.json</a></p>"
        f"<table><tr><th>request</th><th>takes</th><th>gives</th></tr>{''.join(rows)}</table>"
        f"<h2>Statuses of refused requests</h2><ul>{refusals}</ul></html>"
    )


def shown(schema: dict) -> str:
    """A schema, in short: the names of its properties."""
    if "properties" in schema:
        return "{" + ", ".join(html.escape(json.dumps(name)) for name in schema["properties"]) + "}"
    return " or ".join(map(shown, schema["oneOf"])) if "oneOf" in schema else "bytes" if schema == BYTES else "text"
