"""The running server: batches, slow and vanishing clients, reload, TLS, and its end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

import seqclr
from seqclr import readers
from seqclr.cli import main
from seqclr.engine.signals import Stopped
from seqclr.errors import UserError
from seqclr.serve import reload
from seqclr.serve import server as serving
from seqclr.serve.options import Options
from tests.deployment.serving import Stub, exchange, png, running, service_of

OPTIONS = Options(port=0, timeout=2.0, max_bytes=100_000)
POST = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def stub():
    return Stub(seconds=0.005)


@pytest.fixture(scope="module")
def port(stub):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "HEAD_SECONDS", 0.5)
        with running(service_of(OPTIONS, first=stub), OPTIONS) as port:
            yield port


def ask(port: int, value: int, **more) -> str:
    response = requests.post(f"http://127.0.0.1:{port}/v1/predict", data=png(value), timeout=20, **more)
    assert response.status_code == 200, response.text
    return response.json()["text"]


def connected(port: int, *parts: bytes) -> socket.socket:
    """A connection that has sent these bytes, and waits."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    for part in parts:
        connection.sendall(part)
    return connection


def test_many_clients_share_batches_and_get_their_own_predictions(port, stub):
    stub.sizes.clear()
    with ThreadPoolExecutor(24) as pool:
        values = [20 + i % 150 for i in range(120)]
        assert list(pool.map(lambda value: ask(port, value), values)) == [f"t{value:03}" for value in values]
    assert sum(stub.sizes) == 120 and 1 < max(stub.sizes) <= 16


def test_clients_that_hang_vanish_or_send_slowly_do_not_stop_others(port):
    length = f"Content-Length: {len(png(1))}\r\n\r\n".encode()
    hanging = [connected(port) for _ in range(20)]
    hanging += [connected(port, POST) for _ in range(20)]
    hanging += [connected(port, POST + length + png(1)[:30]) for _ in range(20)]
    for _ in range(20):  # these vanish in the middle of a request, and before its response
        connected(port, POST + length + png(1)[:30]).close()
        connected(port, POST + length + png(1)).close()
    start = time.monotonic()
    assert [ask(port, value) for value in range(30, 40)] == [f"t{value:03}" for value in range(30, 40)]
    assert time.monotonic() - start < 1.0
    answers = []
    for connection in hanging:
        with contextlib.closing(connection):
            answers.append(b"".join(iter(lambda c=connection: c.recv(1000), b"")))  # until the server closes it
    assert set(answers[:40]) == {b""} and all(answer.startswith(b"HTTP/1.1 408") for answer in answers[40:])


def test_headers_without_end(port):
    endless = POST + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 500) for i in range(200))
    with contextlib.suppress(ConnectionError):
        assert exchange(port, endless).startswith(b"HTTP/1.1 400")
    assert ask(port, 41) == "t041"


def test_a_connection_serves_several_requests_and_a_pipeline(port):
    one = POST + f"Content-Length: {len(png(1))}\r\n".encode()
    found = exchange(port, one + b"\r\n" + png(42) + one + b"Connection: close\r\n\r\n" + png(43))
    assert found.count(b"HTTP/1.1 200") == 2 and found.index(b"t042") < found.index(b"t043")


def test_a_body_that_is_too_long_is_answered(port):
    url = f"http://127.0.0.1:{port}/v1/predict"
    assert requests.post(url, data=bytes(900_000), timeout=20).status_code == 413  # read, and discarded
    length = b"Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n"
    assert b"HTTP/1.1 413" in exchange(port, POST + length)  # as curl asks


# reload


@pytest.fixture
def replaced(tmp_path, monkeypatch):
    """A server of a reader whose sign is the file of a folder; yields the folder and the port."""
    monkeypatch.setattr(reload, "INTERVAL", 0.05)
    folder = tmp_path / "site"
    write(folder, "a")

    def load(path: str) -> Stub:
        sign = Path(path, "sign").read_text()
        if sign != Path(path, "digest").read_text():
            raise UserError(f"{path} is damaged: copy it again")
        return Stub(sign, 0.002)

    service = serving.load_service({"site": str(folder)}, OPTIONS, load)
    with running(service, OPTIONS) as port:
        yield folder, port


def write(folder: Path, sign: str, digest: str | None = None) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "sign").write_text(sign)
    (folder / "digest").write_text(sign if digest is None else digest)


def until(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_replaced_export_is_loaded_and_no_request_is_lost(replaced, caplog):
    folder, port = replaced
    found, going = [], True

    def client():
        with requests.Session() as session:
            while going:
                response = session.post(f"http://127.0.0.1:{port}/v1/predict", data=png(50), timeout=20)
                found.append((response.status_code, response.json().get("text")))

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        until(lambda: (200, "a050") in found)
        write(folder, "b")
        until(lambda: (200, "b050") in found)
        with caplog.at_level("WARNING"):
            write(folder, "c", digest="half")
            until(lambda: caplog.records)
        done = len(found)
        until(lambda: len(found) > done + 20)
        write(folder, "d")
        until(lambda: (200, "d050") in found)
        going = False
        for each in clients:
            each.result()
    assert set(found) == {(200, "a050"), (200, "b050"), (200, "d050")}
    assert "stays as it was" in caplog.text and "is damaged" in caplog.text


def test_a_folder_that_vanishes_leaves_the_reader(replaced, caplog):
    folder, port = replaced
    with caplog.at_level("WARNING"):
        folder.rename(folder.with_name("gone"))
        until(lambda: caplog.records)
    assert ask(port, 51) == "a051"


def test_an_export_that_is_half_copied_is_not_loaded(tmp_path, monkeypatch, caplog):
    """The reader of the package, replaced by a copy of which the model is cut off, then by a whole one."""
    monkeypatch.setattr(reload, "INTERVAL", 0.05)
    folder = tmp_path / "site"
    shutil.copytree(readers.folder_of("captcha"), folder, ignore=shutil.ignore_patterns("checkpoints"))
    image = next(Path(__file__).parents[2].glob("data_samples/images/*.jpg")).read_bytes()
    text = seqclr.load("captcha").predict([image])[0].text
    service = serving.load_service({"site": str(folder)}, OPTIONS, seqclr.load)
    whole, drift = (folder / "model.onnx").read_bytes(), service.readers["site"].drift
    with running(service, OPTIONS) as port, caplog.at_level("INFO", "seqclr"):

        def predicted() -> str:
            return requests.post(f"http://127.0.0.1:{port}/v1/predict", data=image, timeout=20).json()["text"]

        (folder / "model.onnx").write_bytes(whole[: len(whole) // 2])
        until(lambda: "stays as it was" in caplog.text)
        assert predicted() == text
        (folder / "model.onnx").write_bytes(whole)
        until(lambda: "loaded again" in caplog.text)
        assert predicted() == text
        assert service.readers["site"].drift is drift  # of the same reader
        (folder / "another").touch()
        until(lambda: service.readers["site"].drift is not drift)


# TLS, and arguments


def test_tls(tmp_path):
    make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 -addext subjectAltName=IP:127.0.0.1"
    files = [str(tmp_path / name) for name in ("key.pem", "cert.pem")]
    subprocess.run([*make.split(), "-keyout", files[0], "-out", files[1]], check=True, capture_output=True)
    options = Options(port=0, key=files[0], certificate=files[1])
    serving.check_tls(options)
    with running(service_of(options, first=Stub()), options) as port:
        url = f"https://127.0.0.1:{port}/v1/predict"
        assert requests.post(url, data=png(60), verify=files[1], timeout=20).json()["text"] == "t060"
        connection = connected(port, b"no TLS")  # and it does not stop others
        assert requests.post(url, data=png(61), verify=files[1], timeout=20).json()["text"] == "t061"
        connection.close()
    with pytest.raises(UserError, match="cannot be used for TLS"):
        serving.check_tls(Options(certificate=files[0], key=files[0]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere"),
        (["a=x", "a=y"], "two models have the name a"),
        (["a b=x"], "cannot be the name"),
        (["a="], "'a=' names no folder: give NAME=FOLDER"),
        (["captcha", "--port", "70000"], "70000"),
        (["captcha", "--host", "no.such.host.invalid"], "cannot listen on"),
        (["captcha", "--key", "key.pem"], "without --certificate"),
        (["captcha", "--certificate", "none.pem"], "none.pem"),
        (["captcha", "--token-file", "none"], "none"),
    ],
)
def test_bad_arguments(words, message, capsys):
    assert main(["serve", *words, *([] if "--port" in words else ["--port", "0"])]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1


def test_a_port_that_is_taken(port, capsys):
    assert main(["serve", "captcha", "--port", str(port)]) == 2
    assert f":{port}" in capsys.readouterr().err


# the process


PROGRAM = """
import sys
from seqclr import messages
from seqclr.serve.options import Options
from seqclr.serve.server import serve
from tests.deployment.serving import Stub
from seqclr.engine import signals

with signals.raising(), messages.on_console():
    sys.exit(serve(["site=."], Options(port=int(sys.argv[1])), lambda folder: Stub(seconds=0.01)))
"""


class Process:
    """A server in a process of its own."""

    def __init__(self, port: int = 0):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(port)], stderr=subprocess.PIPE, text=True, env=os.environ
        )
        self.first = self.process.stderr.readline() + self.process.stderr.readline()
        self.port = int(self.first.partition("/v1/")[0].rpartition(":")[2])

    def stop(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        error = self.process.communicate(timeout=30)[1]
        return self.process.returncode, self.first + error


class Client(threading.Thread):
    """Asks a server without a pause until it is stopped, and counts what it gets."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self.port, self.going = port, True
        self.right = self.refused = 0
        self.wrong: list = []
        self.start()

    def run(self) -> None:
        value = 0
        while self.going:
            value = (value + 1) % 150 + 20
            try:
                response = requests.post(f"http://127.0.0.1:{self.port}/v1/predict", data=png(value), timeout=20)
            except requests.RequestException:  # refused, or cut off
                self.refused += 1
                time.sleep(0.01)
                continue
            if response.status_code == 200 and response.json()["text"] == f"t{value:03}":
                self.right += 1
            else:
                self.wrong.append((value, response.status_code, response.text))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM for another process")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_after_the_last_response(number, status):
    server = Process()
    clients = [Client(server.port) for _ in range(4)]
    until(lambda: all(client.right for client in clients))
    files = [("file", (f"{value}.png", png(value))) for value in range(20, 80)]
    request = requests.Request("POST", f"http://127.0.0.1:{server.port}/v1/predict", files=files).prepare()
    with ThreadPoolExecutor(1) as pool, requests.Session() as session:
        session.get(f"http://127.0.0.1:{server.port}/healthz", timeout=20)  # so that the connection is accepted
        last = pool.submit(session.send, request, timeout=20)  # in progress when the signal comes
        time.sleep(0.02)
        ended, error = server.stop(number)
        assert len(last.result().json()["predictions"]) == 60
    for client in clients:
        client.going = False
        client.join(20)
        assert not client.wrong
    assert ended == status and "only for web pages where you may log in" in error and "Traceback" not in error


def test_a_signal_while_readers_are_loaded_is_no_orderly_end(caplog):
    def load(folder):
        raise Stopped(signal.SIGTERM)

    with pytest.raises(Stopped):
        serving.serve(["captcha"], OPTIONS, load)
    assert "answered" not in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_under_load(kills):
    """Every request gets its own prediction, or none."""
    server = Process()
    clients = [Client(server.port) for _ in range(8)]
    for _ in range(kills):
        before = [client.right for client in clients]
        until(lambda before=before: all(client.right > old for client, old in zip(clients, before)))
        assert server.stop(signal.SIGKILL)[0] == -signal.SIGKILL
        server = Process(server.port)
    before = [client.right for client in clients]
    until(lambda: all(client.right > old for client, old in zip(clients, before)))
    for client in clients:
        client.going = False
        client.join(20)
        assert not client.wrong and client.refused
    assert server.stop(signal.SIGTERM)[0] == 0
