"""Writes images that clients report on: those with a verified label, and those with a text that was refused.

The folder of a reader has `images/` with `labels.csv`, which every command reads, and `refused/` with `refused.csv`,
whose `text` is not that of the image. Both tables have the columns of `labels.Label`.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from seqclr import files
from seqclr.data.hashes import uniform
from seqclr.data.images import open_image
from seqclr.data.labels import ACCEPTED, COLUMNS, REFUSED, Label, now
from seqclr.errors import UserError
from seqclr.messages import say, warn
from seqclr.serve.metrics import Metrics

PARTS = {True: ACCEPTED, False: REFUSED}  # table and folder, by whether the text was accepted
SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "BMP": ".bmp", "GIF": ".gif", "WEBP": ".webp", "TIFF": ".tif"}
OWN = re.compile(r"[0-9]+\.(png|jpg|bmp|gif|webp|tif)(\.partial)?")
TESTED = 0.2  # share of the images of split test, by a hash of the file's name
PENDING = 100  # images that wait to be written; further ones are lost
ROOM = 0.9  # share of the bytes that is left when old images are removed
HOUR = 3600.0


class Keeper:
    """The folder of a reader's images, written by a thread of its own so that a slow disk delays no prediction.

    max_bytes, days: of the images; the oldest are removed first. Raises UserError for a folder that another program
    has written or that another process writes.
    """

    def __init__(self, folder: Path, name: str, max_bytes: int, days: float, metrics: Metrics):
        self.folder, self.max_bytes, self.days = folder, max_bytes, days
        self._lost = metrics.lost.labels(name)
        self._thread = ThreadPoolExecutor(1, f"keep {name}")
        self._pending, self._failing = 0, False
        for _, images in PARTS.values():
            files.check_can_make(folder / images)
            (folder / images).mkdir(parents=True, exist_ok=True)
        self._lock = files.Lock(folder / ".labels.csv.lock", folder)  # the labelling page takes the same one
        try:
            rows = [row for table, _ in PARTS.values() for row in mended(folder / table)]
        except BaseException:
            self._lock.close()
            raise
        listed = {row["file"] for row in rows}
        for file in (file for _, images in PARTS.values() for file in (folder / images).iterdir()):
            if OWN.fullmatch(file.name) and file.relative_to(folder).as_posix() not in listed:
                file.unlink()  # the process ended before its row was written
        self._bytes = sum(size_of(folder / file) for file in listed)
        self._remove_old()

    async def keep(self, number: int, image: bytes, text: str, accepted: bool) -> bool:
        """Writes an image and its row; returns whether that is done. Never raises: a failure is a warning."""
        if self._pending >= PENDING:
            self._fail("too many images wait to be written")
            return False
        self._pending += 1
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._write, number, image, text, accepted)
        except Exception as error:
            self._fail(str(error) or type(error).__name__)
            return False
        finally:
            self._pending -= 1
        self._failing = False
        return True

    def write(self, name: str, text: str) -> None:
        """Replaces a small file of the folder, in the thread. Never raises: a failure is a warning."""
        self._thread.submit(self._replace, self.folder / name, text)

    async def watch(self) -> None:
        """Removes images that are too old, every hour."""
        while True:
            await asyncio.sleep(HOUR)
            with contextlib.suppress(OSError, UserError):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._remove_old)

    def close(self) -> None:
        """Ends the thread after the images that wait."""
        self._thread.shutdown()
        self._lock.close()

    def _fail(self, reason: str) -> None:
        self._lost.inc()
        if not self._failing:  # once, until it works again
            warn(f"{self.folder}: images with feedback are lost ({reason}); predictions go on")
        self._failing = True

    # in the thread

    def _replace(self, file: Path, text: str) -> None:
        try:
            with files.atomic_write(file) as stream:
                stream.write(text)
        except OSError as error:
            warn(str(error))

    def _write(self, number: int, image: bytes, text: str, accepted: bool) -> None:
        table, images = PARTS[accepted]
        file = f"{images}/{number}{SUFFIXES[str(open_image(image, 'the image').format)]}"
        with files.atomic_write(self.folder / file, binary=True) as stream:
            stream.write(image)
        try:
            split = "test" if uniform(file) < TESTED else "train"
            append(self.folder / table, Label(file, text, split, "login", now()))
        except OSError:
            with contextlib.suppress(OSError):
                (self.folder / file).unlink()
            raise
        self._bytes += len(image)
        if self._bytes > self.max_bytes:
            self._remove_old()

    def _remove_old(self) -> None:
        """Removes images older than `days`, and the oldest beyond `max_bytes`: rows first, then files."""
        rows = {table: mended(self.folder / table) for table, _ in PARTS.values()}
        oldest_first = sorted((row for each in rows.values() for row in each), key=lambda row: row["time"])
        until = now(days_ago=self.days)
        room = self.max_bytes if self._bytes <= self.max_bytes else int(ROOM * self.max_bytes)
        gone: set[str] = set()
        for row in oldest_first:
            if row["time"] >= until and self._bytes <= room:
                break
            if row["file"] not in gone:  # a refused image that was labelled by hand is in both tables
                gone.add(row["file"])
                self._bytes -= size_of(self.folder / row["file"])
        if not gone:
            return
        for table, each in rows.items():
            with files.atomic_write(self.folder / table) as stream:
                writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(row for row in each if row["file"] not in gone)
        for file in gone:
            (self.folder / file).unlink(missing_ok=True)
        say(f"{self.folder}: removed the oldest {len(gone)} images, for the limits of size and age")


def append(table: Path, row: Label) -> None:
    """Adds a row to a table, or leaves it as it was. Raises OSError."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    with open(table, "ab") as stream:
        size = stream.tell()
        try:
            stream.write(text.getvalue().encode())
            stream.flush()
            os.fsync(stream.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(table, size)
            raise


def mended(table: Path) -> list[dict[str, str]]:
    """The rows of a table, which is made where there is none; a row that a crash has cut off is removed.

    Raises UserError for a table of another program.
    """
    if not table.exists():
        with files.atomic_write(table) as stream:
            stream.write(",".join(COLUMNS) + "\n")
    data = table.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    try:
        rows = csv.DictReader(io.StringIO(whole.decode("utf-8-sig"), newline=""))
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise ValueError("other columns")
        found = list(rows)
        folders = {images for _, images in PARTS.values()}
        torn = any(None in row or None in row.values() for row in found)  # too many fields, or too few
        if torn or any(row["file"].rpartition("/")[0] not in folders for row in found):
            raise ValueError("other rows")
    except (ValueError, csv.Error):
        raise UserError(f"{table} was not written by seqclr serve: choose another --keep") from None
    if len(whole) < len(data):
        os.truncate(table, len(whole))
    return found


def size_of(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0
