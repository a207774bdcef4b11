"""A stub of a reader, and servers in a thread of the tests."""

import contextlib
import io
import socket
import threading
import time
from typing import NamedTuple

import numpy as np
from PIL import Image

from seqclr.errors import UserError
from seqclr.serve.options import Options
from seqclr.serve.server import Server, bound, load_service


class Prediction(NamedTuple):
    text: str
    confidence: float
    accept: bool


class Stub:
    """A reader that predicts the colour of an image's first pixel, as `sign` and three digits; `slow` waits for it."""

    answer = "text"

    def __init__(self, sign: str = "t", seconds: float = 0.0):
        self.sign, self.seconds, self.sizes = sign, seconds, []
        self.gate = threading.Event()
        self.gate.set()

    def predict(self, images):
        self.gate.wait(60)
        time.sleep(self.seconds)
        self.sizes.append(len(images))
        values = [int(image[0, 0, 0]) for image in images]
        if 13 in values:
            raise RuntimeError("a fault of the reader")
        if 14 in values:
            raise UserError("an image that this reader cannot take")
        return [Prediction(f"{self.sign}{value:03}", 0.9 if value < 200 else 0.3, value < 200) for value in values]


def png(value: int, width: int = 24, height: int = 8) -> bytes:
    """An image that the stub predicts as this value."""
    data = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(data, "PNG")
    return data.getvalue()


def service_of(options: Options, **readers):
    """A service of readers by name."""
    return load_service({name: name for name in readers}, options, readers.__getitem__)


@contextlib.contextmanager
def running(service, options: Options):
    """A server on a free port in a thread; yields its port."""
    listener = bound(options.host, options.port)
    server = Server(service, options)
    thread = threading.Thread(target=server.run, args=[[listener]], daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def exchange(port: int, data: bytes) -> bytes:
    """What the server sends after these bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))
