"""Rows in a file of all processes: one that is not whole is none, and the file stays within its limit."""

import gc
import multiprocessing
import os
import pickle

import numpy as np

from seqclr.data.disk_cache import DiskCache

DTYPE = np.dtype([("image", np.uint8, (4, 6, 3)), ("label", np.int32, (3,))])


def row(value):
    return np.array((np.full((4, 6, 3), value), np.arange(3) * value), DTYPE)[()]


def put(kept, number):
    kept.put(number, row(number))


def test_what_one_process_keeps_another_reads():
    kept = DiskCache()
    assert kept.get(0, DTYPE) is None
    kept.put(5, row(9))
    copy = pickle.loads(pickle.dumps(kept))
    assert copy.get(5, DTYPE) == row(9) and copy.get(4, DTYPE) is None and copy.get(6, DTYPE) is None
    process = multiprocessing.get_context("spawn").Process(target=put, args=(kept, 7))
    process.start()
    process.join()
    assert kept.get(7, DTYPE) == row(7)
    kept.get(7, DTYPE)["image"][0] = 1  # a copy of its own, to be written to
    assert kept.get(7, DTYPE) == row(7)


def test_the_file_goes_with_its_maker_and_not_with_a_copy():
    kept = DiskCache()
    copy = pickle.loads(pickle.dumps(kept))
    del copy
    gc.collect()
    assert os.path.exists(path := kept.path)
    del kept
    gc.collect()
    assert not os.path.exists(path)
    kept = DiskCache()
    kept.close()
    assert not os.path.exists(kept.path)


def test_half_a_row_is_none():
    kept = DiskCache()
    kept.put(0, row(3))
    with open(kept.path, "r+b") as file:
        file.seek(20)
        file.write(b"\1\2\3\4")
    assert kept.get(0, DTYPE) is None
    kept.put(0, row(3))
    with open(kept.path, "r+b") as file:
        file.truncate(30)
    assert kept.get(0, DTYPE) is None


def test_the_limit_is_of_the_file():
    kept = DiskCache(limit=10 * (DTYPE.itemsize + 4))
    for number in range(30):
        put(kept, number)
    assert os.path.getsize(kept.path) == kept.limit
    assert kept.get(9, DTYPE) == row(9) and kept.get(10, DTYPE) is None


def test_a_full_disk_keeps_nothing():
    kept = DiskCache()
    kept._stream.close()
    kept._stream = open("/dev/full", "r+b", buffering=0) if os.path.exists("/dev/full") else open(kept.path, "rb")
    kept.put(1, row(1))
    assert kept.get(1, DTYPE) is None
