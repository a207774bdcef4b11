"""Runs the web page on this machine until a signal."""

from __future__ import annotations

import importlib.util
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from seqclr.curation import contradictions
from seqclr.data.knowledge import NOTHING, Known
from seqclr.labelling import strategies
from seqclr.labelling.app import application
from seqclr.labelling.images import Images
from seqclr.labelling.journal import Journal
from seqclr.labelling.predictions import load
from seqclr.labelling.retraining import COUNTS, Retraining, Round, check_can_adapt, folder_for, newest
from seqclr.labelling.session import Session
from seqclr.messages import say
from seqclr.serve.server import bound

HOST = "127.0.0.1"


def serve(
    images: Sequence[str],
    labels: Path,
    model: str,
    known: Known = NOTHING,
    strategy: str = strategies.DEFAULT,
    train: bool = False,
    port: int = 0,
    errors: str | None = None,
) -> int:
    """Serves the web page for labelling until a signal; returns the exit code, 0 after Ctrl-C and SIGTERM.

    train: trains readers on the labels, in a process of its own; what it writes is in a folder beside the labels.
    errors: a folder with the labels that a reader contradicts, which come first.
    Raises UserError where the images, the labels, the model, the port or that list cannot be used, and with `train` for
    a model that cannot be trained further.
    """
    with bound(HOST, port, "--port") as listener:
        reader = load(model, known, strategy)
        if train:
            check_can_adapt(model)
        journal = Journal(labels)
        try:
            found = Images(images, journal)
            listed = None if errors is None else contradictions.read(Path(errors), found.samples)
            session = Session(found, journal, reader, known, strategy, listed)
            if train:
                session.training = training(session, model)
            else:
                name_trained(labels, model)
        except BaseException:
            journal.close()
            raise
        try:
            session.start()
            Server(session, listener.getsockname()[1]).run(sockets=[listener])
        except KeyboardInterrupt:  # Stopped is one
            pass
        finally:
            session.close()
    say(f"{labels} has {sum(label.text is not None for label in journal.labels.values())} labels")
    return 0


def training(session: Session, model: str) -> Retraining:
    """What trains readers on the labels of a session.

    Raises ModuleNotFoundError without TensorFlow.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise ModuleNotFoundError(name="tensorflow")
    known, labels = session.known, session.journal.path
    keys = {"charset": known.charset, "length": known.lengths and ",".join(map(str, known.lengths))}
    test = [session.images.samples[index] for index in session.test]
    keys = {key: each for key, each in keys.items() if each}
    return Retraining(session.images.samples, labels, model, folder_for(labels), test, keys=keys)


def name_trained(labels: Path, model: str) -> None:
    """Names the newest reader that was trained on the labels before, if it is not the one that predicts."""
    reader = newest([Round(folder_for(labels), count) for count in COUNTS])
    if reader is not None and reader.resolve() != Path(model).resolve():
        say(f"{reader} was trained on labels of this file: --model {reader} shows its predictions")


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
