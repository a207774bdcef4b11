"""Runs the web page on this machine until a signal."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from seqclr.data.knowledge import Known
from seqclr.export.reader import load_reader
from seqclr.labelling.app import application
from seqclr.labelling.images import Images
from seqclr.labelling.journal import Journal
from seqclr.labelling.session import Session
from seqclr.messages import say
from seqclr.serve.server import bound

HOST = "127.0.0.1"


def serve(images: Sequence[str], labels: Path, model: str, known: Known, port: int = 0) -> int:
    """Serves the web page for labelling until a signal; returns the exit code, 0 after Ctrl-C and SIGTERM.

    Raises UserError where the images, the labels, the model or the port cannot be used.
    """
    reader = load_reader(model).knowing(known)
    journal = Journal(labels)
    try:
        found = Images(images, labels, journal.labels)
        listener = bound(HOST, port)
    except BaseException:
        journal.close()
        raise
    session = Session(found, journal, reader, known)
    try:
        session.start()
        with listener:
            Server(session, listener.getsockname()[1]).run(sockets=[listener])
    except KeyboardInterrupt:  # Stopped is one
        pass
    finally:
        session.close()
    say(f"{labels} has {sum(label.text is not None for label in journal.labels.values())} labels")
    return 0


class Server(uvicorn.Server):
    """Prints the address when it can be opened, and ends with the signal raised again."""

    def __init__(self, session: Session, port: int):
        self._address = f"http://{HOST}:{port}/{(token := secrets.token_urlsafe(24))}/"
        super().__init__(
            uvicorn.Config(
                application(session, token, port),
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )

    async def startup(self, sockets: list[socket.socket]) -> None:
        await super().startup(sockets)
        print(self._address, flush=True)
        say("open this address in a browser of this machine; Ctrl-C ends it")
