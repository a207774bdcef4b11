"""Examples from worker processes for a training on a GPU with PyTorch. Imports neither TensorFlow nor Keras."""

import math
import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

CHUNKS = 256  # in the memory that is shared with the workers
Shapes = Sequence[tuple[tuple[int, ...], type]]  # of the arrays of an example, with their dtypes


class Source:
    """Chunks of `size` examples from worker processes, one per core, through memory that they share with this one.

    make: called with a random generator, gives the examples of a chunk, each with arrays of `shapes`. Not after CUDA is
    used, as the workers are forked.
    """

    def __init__(self, make: Callable[[np.random.Generator], Iterable], shapes: Shapes, size: int, seed: int):
        self.make, self.arrays = make, []
        for shape, dtype in shapes:
            whole = (CHUNKS, size, *shape)
            memory = multiprocessing.RawArray("b", math.prod(whole) * np.dtype(dtype).itemsize)
            self.arrays.append(np.frombuffer(memory, dtype).reshape(whole))
        self.free, self.full = multiprocessing.Queue(), multiprocessing.Queue()
        for chunk in range(CHUNKS):
            self.free.put(chunk)
        fork = multiprocessing.get_context("fork")
        self.workers = [fork.Process(target=self._work, args=([seed, i],), daemon=True) for i in range(os.cpu_count())]
        for worker in self.workers:
            worker.start()

    def ready(self) -> bool:
        return not self.full.empty()

    def next(self) -> list[np.ndarray]:
        """The arrays of a chunk, `[size, ...]`; waits for it."""
        chunk = self.full.get()
        arrays = [array[chunk].copy() for array in self.arrays]
        self.free.put(chunk)
        return arrays

    def close(self) -> None:
        for worker in self.workers:
            worker.terminate()

    def _work(self, seed: list[int]) -> None:
        os.nice(10)  # the training comes first
        rng = np.random.default_rng(seed)
        while True:
            chunk = self.free.get()
            for i, example in enumerate(self.make(rng)):
                for array, value in zip(self.arrays, example):
                    array[chunk, i] = value
            self.full.put(chunk)


class Newest:
    """The newest examples, about `kept` of them, on the GPU."""

    def __init__(self, shapes: Shapes, kept: int, device: str):
        self.filled, self.added, self.kept, self.device = 0, 0, kept, device
        self.tensors = [torch.empty((kept, *shape), dtype=getattr(torch, np.dtype(dtype).name), device=device)
                        for shape, dtype in shapes]  # fmt: skip

    def add(self, *arrays: np.ndarray) -> None:
        count = len(arrays[0])
        at = self.added % (self.kept // count * count)
        for tensor, array in zip(self.tensors, arrays):
            tensor[at : at + count] = torch.from_numpy(array).to(self.device)
        self.added += count
        self.filled = max(self.filled, at + count)

    def rows(self, rows: torch.Tensor) -> list[torch.Tensor]:
        """The arrays of these examples."""
        return [tensor[rows] for tensor in self.tensors]
