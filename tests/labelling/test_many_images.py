"""A session of 5,000 images: the work of a request is counted, and must not grow with the images or the labels."""

import sys
import time
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from seqclr.data import tables
from seqclr.labelling import journal as journals
from seqclr.labelling import session as sessions
from seqclr.labelling.images import Images
from seqclr.labelling.session import Change
from tests.labelling.test_app import client_of, rows, session_of, state

COUNT = 5000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """5,000 images of 200 shades."""
    folder = tmp_path_factory.mktemp("many")
    for shade in range(200):
        Image.fromarray(np.full((8, 24, 3), shade, np.uint8)).save(folder / f"{shade:04}.png")
    drawn = [(folder / f"{shade:04}.png").read_bytes() for shade in range(200)]
    for number in range(200, COUNT):
        (folder / f"{number:04}.png").write_bytes(drawn[number % 200])
    return folder


@pytest.fixture
def counts(monkeypatch):
    """How often what takes time was done."""
    counts = Counter()

    def count(owner, name, what=None):
        done = getattr(owner, name)

        def counted(*args, **keys):
            counts[what or name] += 1
            return done(*args, **keys)

        monkeypatch.setattr(owner, name, counted)

    count(Images, "pixels")
    count(tables, "find_image")
    count(journals, "atomic_write")
    count(sessions.strategies, "order")
    count(journals.Journal, "_append")
    return counts


def label(session, index) -> int:
    """Labels an image; returns the calls of Python functions and the steps of generators that it took."""
    found, change = Counter(), Change(index, 0, "12", "corrected")
    sys.setprofile(lambda frame, event, arg: found.update([event]))
    try:
        session.label([change])
    finally:
        sys.setprofile(None)
    return found["call"]


@pytest.mark.slow
def test_a_label_costs_the_same_with_many_images_and_many_labels(folder, counts):
    session = session_of(folder, strategy="uncertain")
    client = client_of(session)
    session.start()
    session._predictor._thread.join()
    assert len(session.images) == COUNT == counts["pixels"] and counts["order"] <= 2
    first = state(client)
    assert len(first["images"]) == len(first["order"]) == COUNT
    assert not state(client, first["version"])["images"] and not state(client, first["version"])["order"]
    order, known = first["order"], first["version"]
    label(session, order[0])  # which opens the journal
    cost = [label(session, index) for index in order[1:3]]
    before, begun = counts.copy(), time.monotonic()
    for index in order[3:1003]:
        session.label([Change(index, 0, "12", "corrected")])
    took = time.monotonic() - begun
    cost += [label(session, index) for index in order[1003:1006]]
    assert len(set(cost)) == 1, cost  # the first is as cheap as the last
    assert counts["pixels"] == before["pixels"] and counts["find_image"] == before["find_image"]
    written = counts["atomic_write"] - before["atomic_write"]
    assert written <= 2 + took / sessions.DELAY and counts["order"] - before["order"] <= 2 + 1000 // (COUNT // 100)
    found = state(client, known)
    assert {image["image"] for image in found["images"]} == set(order[:1006]) and found["progress"]["labelled"] == 1006
    label(session, order[1006])
    assert [image["image"] for image in state(client, found["version"])["images"]] == [order[1006]]
    session.close()
    assert len(rows(folder)) == 1007 and len(session.journal.file.read_text().splitlines()) < 1007 + written + 5
    counts.clear()
    again = session_of(folder)
    assert sum(state.is_done for state in again._states) == 1007 and not counts["pixels"]
    assert counts["find_image"] == 3 * 1007  # for the journal, the names of the images, and the table in their folder
    again.close()
