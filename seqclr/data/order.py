"""The order in which records come when a batch is to hold many of one source. Host side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqclr.errors import UserError

ENDLESS = 2**40  # grain wants a length


class Grouped(Sequence):
    """Records without end, `size` of one source after another; every pass is shuffled anew.

    Contrast within a site is what teaches: an image of another site is told by its colours. In a pass every record
    comes once, but for what is left of a source when groups of `size` have been taken: up to `size - 1` of its
    records, other ones each time. Sources of fewer than `size` records are taken together as one.
    sources: of each record. Raises UserError where there is not one group.
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
        self._pass, self._order = -1, np.empty(0, int)

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, position: int) -> dict:
        number, position = divmod(position, self.groups * self.size)
        if number != self._pass:
            self._pass, self._order = number, self._shuffled(number)
        return self.records[int(self._order[position])]

    def _shuffled(self, number: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, number])
        rows = []
        for members in self.members:
            chosen = rng.permutation(members)[: len(members) // self.size * self.size]
            rows.append(chosen.reshape(-1, self.size))
        return rng.permutation(np.concatenate(rows)).reshape(-1)
