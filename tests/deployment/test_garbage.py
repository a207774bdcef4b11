"""A fuzzer of requests: whatever is sent, the server answers without status 500, and goes on predicting."""

import base64
import io
import json
import socket
import threading

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from seqclr.data.images import Limits, set_limits
from seqclr.serve.app import ENDPOINTS, application
from seqclr.serve.options import Options
from tests.deployment.serving import Stub, png, running, service_of

OPTIONS = Options(port=0, max_bytes=3_000, max_pixels=10_000, timeout=5)
COUNTS = [150, pytest.param(10_000, marks=pytest.mark.slow)]
STATUSES = {200, 400, 401, 404, 405, 413, 422, 501}
BOUNDARY = "x"


def encoded(form: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (24, 8), (21, 21, 21)).save(data, form)
    return data.getvalue()


IMAGES = [encoded(form) for form in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")]
TYPES = ["multipart/form-data", f"multipart/form-data; boundary={BOUNDARY}", "application/x-www-form-urlencoded"]
TYPES += ["application/json", "image/png", "text/plain", "é", ""]
KEYS = ["clientKey", "task", "taskId", "type", "body", "module", "model", "instances", "inputs", "b64", "image_bytes"]
KEYS += ["image", "file", "key", "method", "action", "id", "json", "probability", "charsets", "signature_name"]
WORDS = [
    "ImageToTextTask",
    "first",
    "base64",
    "post",
    "get",
    "reportbad",
    "getbalance",
    "1",
    "serving_default",
    "\ud800",
]


@st.composite
def damaged(draw) -> bytes:
    """An image file of which some bytes are changed, removed or repeated."""
    data = bytearray(draw(st.sampled_from(IMAGES)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
        if not data:
            break
    return bytes(data)


files = st.one_of(damaged(), st.binary(max_size=60))
words = st.one_of(st.sampled_from(WORDS), st.text(max_size=8), files.map(lambda data: base64.b64encode(data).decode()))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words),
    lambda each: st.one_of(st.lists(each, max_size=4), st.dictionaries(st.sampled_from(KEYS), each, max_size=5)),
    max_leaves=12,
)


@st.composite
def forms(draw) -> bytes:
    """A multipart form with parts and headers of many kinds."""
    body = b""
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.one_of(st.sampled_from(KEYS), st.text(max_size=5)))
        file = draw(st.sampled_from(["", '; filename="a.png"', "; filename", "; filename*=utf-8''%ff"]))
        encoding = draw(st.sampled_from(["", "\r\nContent-Transfer-Encoding: base64", "\r\nContent-Type: \xff"]))
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}{encoding}\r\n\r\n'
        body += head.encode("utf-8", "replace") + draw(files) + draw(st.sampled_from([b"\r\n", b"\n", b""]))
    return body + draw(st.sampled_from([b"--x--\r\n", b"--x--", b"--x", b""]))


def urlencoded(pairs: dict) -> bytes:
    return "&".join(f"{key}={value}" for key, value in pairs.items()).encode("utf-8", "replace")


bodies = st.one_of(
    files,
    forms(),
    values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(KEYS), words, max_size=5).map(urlencoded),
    st.integers(1, 3_000).map(lambda count: b"[" * count),
    st.just(bytes(3_001)),
)
paths = st.one_of(
    st.sampled_from([each.path for each in ENDPOINTS]),
    st.sampled_from([each.path.replace("{name}", "first") for each in ENDPOINTS]),
    st.text("abc/.%:{}", max_size=12).map(lambda text: f"/a{text}"),
)
queries = st.dictionaries(st.sampled_from(KEYS), words.filter(lambda word: word.isascii()), max_size=4)
calls = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["POST", "POST", "POST", "GET", "HEAD", "PUT", "OPTIONS"]),
        "url": paths,
        "params": queries,
        "content": bodies,
        "headers": st.fixed_dictionaries(
            {"Content-Type": st.sampled_from(TYPES).map(str.encode)},
            optional={"Authorization": st.binary(max_size=9), "Expect": st.just(b"100-continue")},
        ),
    }
)


def fuzz(count: int, strategy, check) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    settings(max_examples=count, deadline=None, database=None, suppress_health_check=checks)(given(strategy)(check))()


@pytest.mark.parametrize("count", COUNTS)
def test_garbage_in_requests(count):
    with TestClient(application(service_of(OPTIONS, first=Stub(), second=Stub("s")))) as client:
        set_limits(Limits(OPTIONS.max_bytes, OPTIONS.max_pixels))

        def check(call):
            response = client.request(**call)
            assert response.status_code in STATUSES, response.text
            assert response.status_code == 200 or b"Traceback" not in response.content

        fuzz(count, calls, check)
        assert client.post("/v1/predict", content=png(21)).json()["text"] == "t021"
        assert client.get("/healthz").json()["models"]["first"]["waiting"] == 0
        assert {"reader first", "reader second"} <= {thread.name for thread in threading.enumerate()}


lines = st.one_of(
    st.sampled_from(
        [
            b"POST /v1/predict HTTP/1.1",
            b"GET /healthz HTTP/1.0",
            b"Host: x",
            b"Content-Length: 5",
            b"Content-Length: -1",
            b"Content-Length: 99999999999999999999",
            b"Transfer-Encoding: chunked",
            b"5\r\nabcde\r\n0",
            b"fffffffffffffffff",
            b"Expect: 100-continue",
            b"Connection: upgrade\r\nUpgrade: websocket",
            b"PRI * HTTP/2.0\r\n\r\nSM",
            b"CONNECT example.org:443 HTTP/1.1",
            b"POST http://[::1 HTTP/1.1",
            b"",
        ]
    ),
    st.binary(max_size=30),
)


@pytest.mark.parametrize("count", COUNTS)
def test_garbage_in_place_of_http(count):
    with running(service_of(OPTIONS, first=Stub()), OPTIONS) as port:

        def check(parts):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                try:
                    connection.sendall(b"\r\n".join(parts))
                    connection.shutdown(socket.SHUT_WR)
                    answer = b"".join(iter(lambda: connection.recv(65536), b""))
                except (ConnectionError, OSError) as error:
                    assert not isinstance(error, TimeoutError)
                    return
            assert answer == b"" or answer.startswith(b"HTTP/1.1 ") and b" 500 " not in answer[:20]

        fuzz(count, st.lists(lines, max_size=8), check)
        response = requests.post(f"http://127.0.0.1:{port}/v1/predict", data=png(21), timeout=20)
        assert response.json()["text"] == "t021"
