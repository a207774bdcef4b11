"""Records to batches: grain shards and shuffles, worker processes apply the transform and batch. Host side.

The position of a loader is a small dict that JSON can hold; it is part of a checkpoint. Batches depend on the seed
alone, not on the number of workers: the random generator of an example is seeded by its index in the sequence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence

import grain.python as grain
import numpy as np

from seqclr.data.grouping import GroupedBySource
from seqclr.data.workers import Workers, describe

Transform = Callable[[dict, np.random.Generator], dict]


class Loader:
    """An endless iterator of batches (dicts of arrays with a leading batch axis), whose position can be saved.

    records: anything with `len` and `[index] -> dict`.
    transform: called as `transform(record, rng)` in the workers; returns a dict of arrays of fixed shapes.
    batch_size: examples in a batch of this shard.
    processes: worker processes; 0: batches are made in this process.
    shard: (index, number of shards); the shards of one seed share no example within an epoch.
    sources: the source of each record. group: consecutive records of one source; 1: all sources are mixed.
    """

    def __init__(
        self,
        records: Sequence,
        transform: Transform,
        batch_size: int,
        seed: int,
        processes: int = 0,
        shard: tuple[int, int] = (0, 1),
        sources: Sequence[str] = (),
        group: int = 1,
    ):
        self.records = records
        which, shards = shard
        self.steps_per_epoch = max(1, len(records) // (batch_size * shards))
        if group > 1:
            dataset = grain.MapDataset.source(GroupedBySource(records, sources, group, seed)).seed(seed)
        else:
            dataset = grain.MapDataset.source(records).seed(seed).shuffle().repeat()
        # seeded by the index before sharding, so that all shards together give the batches of a single one
        dataset = dataset.random_map(transform)[which::shards].batch(batch_size, drop_remainder=True)
        self._dataset, self._processes = dataset, processes
        self._batches, self._workers = 0, None

    def __iter__(self):
        return self

    def __next__(self) -> dict:
        """The next batch. Raises LoaderFailed or UserError where it cannot be made; the position stays the same."""
        if self._processes and self._workers is None:
            self._workers = Workers(self._dataset, self._processes, self._batches)
        batch = next(self._workers) if self._workers is not None else self._make(self._batches)
        self._batches += 1
        return batch

    def _make(self, index: int) -> dict:
        try:
            return self._dataset[index]
        except Exception as error:
            raise describe(error) from error

    def get_state(self) -> dict:
        """The position: `{"batches": number of batches taken}`, whatever the number of workers."""
        return {"batches": self._batches}

    def set_state(self, state: dict) -> None:
        self.close()
        self._batches = state["batches"]

    def close(self) -> None:
        """Ends the worker processes."""
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.close()


class Joined:
    """Two loaders as one: a batch has the keys of both, those of the second from batch `start` on.

    An epoch is that of the first loader.
    """

    def __init__(self, first: Loader, second: Loader, start: int = 0):
        self.first, self.second, self.start = first, second, start
        self.steps_per_epoch = first.steps_per_epoch

    def __iter__(self):
        return self

    def __next__(self) -> dict:
        late = self.first.get_state()["batches"] >= self.start
        return {**next(self.first), **(next(self.second) if late else {})}

    def get_state(self) -> dict:
        """The position of the first loader, from which that of the second follows."""
        return self.first.get_state()

    def set_state(self, state: dict) -> None:
        self.first.set_state(state)
        self.second.set_state({"batches": max(0, state["batches"] - self.start)})

    def close(self) -> None:
        self.first.close()
        self.second.close()


class Without:
    """A loader whose batches lack some keys from batch `start` on."""

    def __init__(self, loader: Loader, keys: Collection[str], start: int):
        self.loader, self.keys, self.start = loader, keys, start
        self.records, self.steps_per_epoch = loader.records, loader.steps_per_epoch

    def __iter__(self):
        return self

    def __next__(self) -> dict:
        left_out = self.keys if self.loader.get_state()["batches"] >= self.start else ()
        return {key: array for key, array in next(self.loader).items() if key not in left_out}

    def get_state(self) -> dict:
        return self.loader.get_state()

    def set_state(self, state: dict) -> None:
        self.loader.set_state(state)

    def close(self) -> None:
        self.loader.close()


@dataclasses.dataclass(frozen=True)
class InOrder:
    """Batches of all records in order; each loop over it makes them anew. The last batch may be smaller."""

    records: Sequence
    batch_size: int

    def __iter__(self) -> Iterator[dict]:
        for start in range(0, len(self.records), self.batch_size):
            rows = range(start, min(start + self.batch_size, len(self.records)))
            yield as_batch([self.records[i] for i in rows])


def as_batch(rows: Sequence[dict]) -> dict:
    """Stacks records or examples into a batch."""
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}
