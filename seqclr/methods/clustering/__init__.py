"""Methods that assign instances to clusters or prototypes and learn from the assignment.

A new method is a module here, imported below so that it is registered.
"""

from seqclr.methods.clustering import (  # noqa: F401
    clique_cnn,
    deep_cluster,
    jigsaw_clustering,
    sela,
    swav,
)
