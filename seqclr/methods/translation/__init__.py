"""Methods that translate images between two domains; the encoder is a part of the generator.

A new method is a module here, imported below so that it is registered.
"""

from seqclr.methods.translation import cut, cyclegan, pix2pix  # noqa: F401
