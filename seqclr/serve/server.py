"""Runs the server: sockets, TLS, signals, and slow clients."""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import re
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import seqclr
from seqclr.data.images import Limits, set_limits
from seqclr.engine.signals import Stopped
from seqclr.errors import UserError
from seqclr.messages import say, warn
from seqclr.serve.app import application
from seqclr.serve.batcher import Reader
from seqclr.serve.call import Service
from seqclr.serve.keeper import Keeper
from seqclr.serve.metrics import Metrics
from seqclr.serve.options import Options
from seqclr.serve.reload import ServedReader

CONNECTIONS = 1000  # open at once; further ones get status 503
HEAD_SECONDS, HEAD_BYTES = 10.0, 65_536  # in which the headers of a request arrive, and that they have at most
IDLE_SECONDS = 30  # that a connection stays open between two requests
NAME = re.compile(r"[\w.-]+")
TRIM_THRESHOLD = -1  # of mallopt(3)


def serve(models: Sequence[str], options: Options, load: Callable[[str], Reader] | None = None) -> int:
    """Serves readers until a signal; returns the exit code, 0 after SIGTERM and 130 after Ctrl-C.

    models: folders or names of readers, each as `NAME=FOLDER` or alone. load: by default `seqclr.load`.

    Raises UserError where the readers, the files of TLS, the address or the port cannot be used, and Stopped for a
    signal while readers are loaded.
    """
    folders = named(models)
    check_tls(options)
    return_freed_memory()
    with contextlib.closing(bound(options.host, options.port)) as listener:
        service = load_service(folders, options, load or seqclr.load)
        raise_file_limit()
        try:
            Server(service, options).run(sockets=[listener])
        except Stopped as stopped:
            say("stopped, all requests in progress were answered")
            return 0 if stopped.number == signal.SIGTERM else 128 + stopped.number
    return 0


def load_service(folders: dict[str, str], options: Options, load: Callable[[str], Reader]) -> Service:
    """Loads the readers. Sets the limits of images of this process."""
    set_limits(Limits(max_bytes=options.max_bytes, max_pixels=options.max_pixels))
    metrics, limits, served = Metrics(), (options.queue, options.timeout), {}
    for name, folder in folders.items():
        keeper = None
        if options.keep is not None:
            keeper = Keeper(Path(options.keep) / name, name, options.keep_bytes, options.keep_days, metrics)
        served[name] = ServedReader(name, folder, load, *limits, metrics, keeper)
    return Service(served, metrics, options.max_bytes, options.timeout, options.token)


class Server(uvicorn.Server):
    """Serves until a signal, which is raised again after the last response."""

    def __init__(self, service: Service, options: Options):
        self._service, self._options = service, options
        super().__init__(
            uvicorn.Config(
                application(service),
                http=PatientProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="error",  # malformed requests are answered, not logged
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=CONNECTIONS,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=int(2 * options.timeout) + 1,
                ssl_certfile=options.certificate,
                ssl_keyfile=options.key,
            )
        )

    async def startup(self, sockets: list[socket.socket]) -> None:
        await super().startup(sockets)
        host, port = sockets[0].getsockname()[:2]
        scheme = "https" if self._options.certificate else "http"
        address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        say(f"{', '.join(self._service.readers)} at {address}/v1/predict; all endpoints: {address}/docs")
        say("use it only for web pages where you may log in")
        if not self._options.token and not ipaddress.ip_address(host).is_loopback:
            warn(f"everyone who reaches {host}:{port} can use it: give a token with --token-file")


class PatientProtocol(HttpToolsProtocol):
    """HTTP that closes connections whose headers arrive too slowly or have too many bytes."""

    _until = None  # the timer of the headers that are expected
    _head = 0  # bytes of them

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._until is None and self.cycle is not None and self.cycle.response_complete:
            self._expect_head()  # of the next request
        self._head += len(data)
        super().data_received(data)
        if self._until is not None and self._head > HEAD_BYTES:
            self.send_400_response("The headers have too many bytes.")

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._head, self._until = 0, self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end_head(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None


# what is checked before readers are loaded


def named(models: Sequence[str]) -> dict[str, str]:
    """The folder of each reader, by name. Raises UserError for names that cannot be used."""
    found: dict[str, str] = {}
    for model in models:
        name, equals, folder = model.partition("=")
        if not equals or Path(model).exists():
            name, folder = Path(model).resolve().name, model
        if not folder:
            raise UserError(f"'{model}' names no folder: give NAME=FOLDER")
        if not NAME.fullmatch(name):
            raise UserError(
                f"'{name}' cannot be the name of a model: use letters, digits, '.', '_' and '-', NAME=FOLDER"
            )
        if name in found:
            raise UserError(f"two models have the name {name}: name them, as in NAME={folder}")
        found[name] = folder
    return found


def check_tls(options: Options) -> None:
    """Raises UserError for a certificate or key that cannot be used."""
    if options.certificate is None:
        if options.key is not None:
            raise UserError("--key is given without --certificate: give both files, or none")
        return

    def ask() -> str:
        raise UserError(f"the key of {options.certificate} is encrypted: give one without a password")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(options.certificate, options.key, ask)
    except OSError as error:  # SSLError is one
        files = " and ".join(filter(None, (options.certificate, options.key)))
        raise UserError(f"{files} cannot be used for TLS ({error.strerror or error}): give PEM files") from None


def bound(host: str, port: int, options: str = "--host or --port") -> socket.socket:
    """A socket with the address and port. Raises UserError where they cannot be used; options: that set them."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        with contextlib.suppress(AttributeError):
            if sys.platform == "win32":  # there, SO_REUSEADDR would let two servers share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        return listener
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot listen on {host}:{port} ({reason}): choose another {options}") from None


def return_freed_memory() -> None:
    """Fixes the size of free memory that glibc keeps at its default; else it grows with the largest batch."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").mallopt(TRIM_THRESHOLD, 128 * 1024)


def raise_file_limit() -> None:
    """Lets this process hold CONNECTIONS open sockets, where the system's limit is lower and can be raised."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = CONNECTIONS + 200
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
