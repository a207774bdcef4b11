"""Methods that reconstruct an image, or masked parts of it, from its features.

A new method is a module here, imported below so that it is registered.
"""

from seqclr.methods.reconstruction import (  # noqa: F401
    autoencoder,
    denoising,
    inpainting,
    mae,
    masked,
    ssm,
    super_resolution,
)
