"""Probes of images whose label is a class."""

from __future__ import annotations

import abc

import numpy as np

from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.probes.rows import Probe, means_of


class ClassProbe(Probe):
    """The whole label is the class of an image, and the mean of its frames its feature.

    An image to be read whose class was not learned counts as wrong. Raises UserError also where there is one class
    alone, or where no image to be read is of a class that was learned.
    """

    measures = ("accuracy",)

    def __init__(self, train: list[Sample], held: list[Sample], config, **options):
        super().__init__(train, held, config, **options)
        self.classes, self.labels = np.unique([sample.text for sample in train], return_inverse=True)
        if len(self.classes) < 2:
            raise UserError(f"all labels to learn on are '{self.classes[0]}': at least two classes are needed")
        new = [sample for sample in held if sample.text not in self.classes]
        if len(new) == len(held):
            raise UserError(
                f"{new[0].name} has the label '{new[0].text}', and like all to be read it is none of the "
                f"{len(self.classes)} learned on: take kind ctc for texts, or more labels"
            )

    def read(self, encoder, layer, seed=0):
        train, held = (means_of(encoder, part, layer) for part in (self.train, self.held))
        return self.classes[self.classify(train, held, seed)].tolist()

    @abc.abstractmethod
    def classify(self, train: np.ndarray, held: np.ndarray, seed: int) -> np.ndarray:
        """The ids of classes for features `held: [M, D]`, by features `train: [N, D]`, which are of `self.labels`."""

    def measure(self, reads):
        right = np.array([sample.text == read for sample, read in zip(self.held.samples, reads)])
        sources = np.array([sample.source for sample in self.held.samples])

        def scores(chosen):
            return {"samples": int(chosen.sum()), "accuracy": float(right[chosen].mean())}

        by_source = {source: scores(sources == source) for source in dict.fromkeys(sources.tolist())}
        return {**scores(sources == sources), "classes": len(self.classes), "sources": by_source}

    def table(self, figures):
        rows = list(figures["sources"].items())
        rows = rows if len(rows) == 1 else [*rows, ("all", figures)]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:{width}}  {scores['samples']:>7}  {scores['accuracy']:8.4f}" for name, scores in rows]
        return "\n".join([f"{'':{width}}  samples  accuracy", *lines])
