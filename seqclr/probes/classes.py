"""Probes of images that are labelled with a class."""

from __future__ import annotations

import abc

import numpy as np

from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.probes.base import Probe, means_of


class ClassProbe(Probe):
    """A probe whose classes are the labels, on the mean of each image's frames.

    An evaluation sample of a class without training samples counts as wrong. Raises UserError also where there is only
    one class, or where no evaluation sample is of a class with training samples.
    """

    metrics = ("accuracy",)

    def __init__(self, train: list[Sample], held: list[Sample], config, **options):
        super().__init__(train, held, config, **options)
        self.classes, self.labels = np.unique([sample.text for sample in train], return_inverse=True)
        if len(self.classes) < 2:
            raise UserError(f"all training labels are '{self.classes[0]}': at least two classes are needed")
        new = [sample for sample in held if sample.text not in self.classes]
        if len(new) == len(held):
            raise UserError(
                f"{new[0].name} has the label '{new[0].text}': no evaluation sample has one of the "
                f"{len(self.classes)} classes of the training samples; use kind ctc for texts, or more labels"
            )

    def predict(self, encoder, layer, seed=0):
        train, held = (means_of(encoder, part, layer) for part in (self.train, self.held))
        return self.classes[self.classify(train, held, seed)].tolist()

    @abc.abstractmethod
    def classify(self, train: np.ndarray, held: np.ndarray, seed: int) -> np.ndarray:
        """Predicted class ids `[M]` for features `held: [M, D]`; `train: [N, D]` are the features of `self.labels`."""

    def evaluate(self, predictions):
        correct = np.array([sample.text == text for sample, text in zip(self.held.samples, predictions)])
        sources = np.array([sample.source for sample in self.held.samples])

        def scores(chosen):
            return {"samples": int(chosen.sum()), "accuracy": float(correct[chosen].mean())}

        by_source = {source: scores(sources == source) for source in dict.fromkeys(sources.tolist())}
        return {**scores(sources == sources), "classes": len(self.classes), "sources": by_source}

    def table(self, figures):
        rows = list(figures["sources"].items())
        rows = rows if len(rows) == 1 else [*rows, ("all", figures)]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:{width}}  {scores['samples']:>7}  {scores['accuracy']:8.4f}" for name, scores in rows]
        return "\n".join([f"{'':{width}}  samples  accuracy", *lines])
