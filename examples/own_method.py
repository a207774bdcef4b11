"""A method of your own: a registered class that `seqclr.pretrain` trains like the built-in methods.

    python examples/own_method.py [--steps 20]

This one is VICReg without its covariance term: it makes the frames of two views similar and penalises
dimensions whose standard deviation is below 1.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

import seqclr
from seqclr.config import WIDEST, key
from seqclr.methods.base import TwoViewMethod
from seqclr.nn.heads import mlp

SAMPLES = Path(__file__).resolve().parent.parent / "data_samples"


@seqclr.register("variance", paper="Bardes et al. 2022, arXiv:2105.04906", negatives="none")
@dataclass
class Variance(TwoViewMethod):
    """Dataclass fields are configuration keys: `seqclr.pretrain(..., projection_dim=64)`."""

    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)
    variance_weight: float = key(1.0, "weight of the variance term", least=0)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.projector = mlp((256, self.projection_dim), "projector", input_dim=encoder.dim)

    def loss(self, batch, training):
        _, mask, projections = self.embed(batch, training)
        pairs = self.instances(projections, batch, mask)
        distance = tf.reduce_mean(tf.square(pairs.first - pairs.second))
        deviations = [tf.math.reduce_std(instances, axis=0) for instances in (pairs.first, pairs.second)]
        variance = tf.add_n([tf.reduce_mean(tf.nn.relu(1 - deviation)) for deviation in deviations])
        return {"loss": distance + self.variance_weight * variance, "distance": distance}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    run = seqclr.pretrain(SAMPLES, method="variance", steps=parser.parse_args().steps)
    print(f"pretrained: {run.folder}, distance {run.figures['distance']:.3f}")
