"""An order of records in which many of a batch come from one source. Host side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqclr.errors import UserError

ENDLESS = 2**40  # grain needs a length


class GroupedBySource(Sequence):
    """An endless sequence of records, `size` consecutive ones from one source, shuffled anew in every epoch.

    Negatives from the same source are the informative ones: an image of another source differs in its colours already.
    An epoch has every record once, except for the remainder of each source after division into groups of `size`: up to
    `size - 1` of its records, different ones in each epoch. Sources with fewer than `size` records are treated as one.

    sources: the source of each record. Raises UserError where there are fewer than `size` records.
    """

    def __init__(self, records: Sequence, sources: Sequence[str], size: int, seed: int):
        self.records, self.size, self.seed = records, size, seed
        names = np.asarray(sources)
        found = [np.flatnonzero(names == name) for name in dict.fromkeys(sources)]
        small = [np.concatenate([np.empty(0, int), *(members for members in found if len(members) < size)])]
        self.members = [members for members in found if len(members) >= size] + small
        self.groups = sum(len(members) // size for members in self.members)
        if not self.groups:
            raise UserError(f"same_source {size} is more than the {len(names)} images there are: set it lower")
        self._epoch, self._order = -1, np.empty(0, int)

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict:
        epoch, index = divmod(index, self.groups * self.size)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._shuffled(epoch)
        return self.records[int(self._order[index])]

    def _shuffled(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, epoch])
        rows = []
        for members in self.members:
            chosen = rng.permutation(members)[: len(members) // self.size * self.size]
            rows.append(chosen.reshape(-1, self.size))
        return rng.permutation(np.concatenate(rows)).reshape(-1)
