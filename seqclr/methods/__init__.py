"""The methods by name. A new one is a file here and a line below, or a class anywhere that is registered."""

from collections.abc import Callable
from typing import TypeVar

from seqclr.errors import UserError
from seqclr.methods.base import Method
from seqclr.methods.clustering.clique_cnn import CliqueCNN
from seqclr.methods.clustering.deep_cluster import DeepCluster
from seqclr.methods.clustering.jigsaw_clustering import JigsawClustering
from seqclr.methods.clustering.sela import SeLa
from seqclr.methods.clustering.swav import SwAV
from seqclr.methods.contrastive.cmc import CMC
from seqclr.methods.contrastive.cpc import CPC
from seqclr.methods.contrastive.curl import CURL
from seqclr.methods.contrastive.inst_disc import InstDisc
from seqclr.methods.contrastive.inva_spread import InvaSpread
from seqclr.methods.contrastive.moco import MoCo, MoCoV2
from seqclr.methods.contrastive.moco_v3 import MoCoV3
from seqclr.methods.contrastive.pix_contrast import PixContrast
from seqclr.methods.contrastive.simclr import SimCLR
from seqclr.methods.contrastive.simclr_v2 import SimCLRV2
from seqclr.methods.distillation.byol import BYOL
from seqclr.methods.distillation.dino import DINO
from seqclr.methods.distillation.pix_pro import PixPro
from seqclr.methods.distillation.simsiam import SimSiam
from seqclr.methods.pretext.colorization import Colorization
from seqclr.methods.pretext.context_prediction import ContextPrediction
from seqclr.methods.pretext.counting import Counting
from seqclr.methods.pretext.exemplar import Exemplar
from seqclr.methods.pretext.jigsaw import Jigsaw
from seqclr.methods.pretext.odd_one_out import OddOneOut
from seqclr.methods.pretext.order_verification import OrderVerification
from seqclr.methods.pretext.rotation import Rotation
from seqclr.methods.pretext.split_brain import SplitBrain
from seqclr.methods.reconstruction.autoencoder import Autoencoder
from seqclr.methods.reconstruction.denoising import Denoising
from seqclr.methods.reconstruction.inpainting import Inpainting
from seqclr.methods.reconstruction.mae import MAE
from seqclr.methods.reconstruction.masked import Masked
from seqclr.methods.reconstruction.super_resolution import SuperResolution
from seqclr.methods.redundancy.barlow_twins import BarlowTwins
from seqclr.methods.redundancy.vicreg import VICReg
from seqclr.methods.redundancy.w_mse import WMSE
from seqclr.methods.text.classifier import Classifier
from seqclr.methods.text.generated import Generated
from seqclr.methods.text.generated_simclr import GeneratedSimCLR
from seqclr.methods.text.masked_simclr import MaskedSimCLR

Registered = TypeVar("Registered", bound=Method)
METHODS: dict[str, type[Method]] = {
    "autoencoder": Autoencoder,
    "barlow_twins": BarlowTwins,
    "byol": BYOL,
    "classifier": Classifier,
    "clique_cnn": CliqueCNN,
    "cmc": CMC,
    "colorization": Colorization,
    "context_prediction": ContextPrediction,
    "counting": Counting,
    "cpc": CPC,
    "curl": CURL,
    "deep_cluster": DeepCluster,
    "denoising": Denoising,
    "dino": DINO,
    "exemplar": Exemplar,
    "generated": Generated,
    "generated_simclr": GeneratedSimCLR,
    "inpainting": Inpainting,
    "inst_disc": InstDisc,
    "inva_spread": InvaSpread,
    "jigsaw": Jigsaw,
    "jigsaw_clustering": JigsawClustering,
    "mae": MAE,
    "masked": Masked,
    "masked_simclr": MaskedSimCLR,
    "moco": MoCo,
    "moco_v2": MoCoV2,
    "moco_v3": MoCoV3,
    "odd_one_out": OddOneOut,
    "order_verification": OrderVerification,
    "pix_contrast": PixContrast,
    "pix_pro": PixPro,
    "rotation": Rotation,
    "sela": SeLa,
    "simclr": SimCLR,
    "simclr_v2": SimCLRV2,
    "simsiam": SimSiam,
    "split_brain": SplitBrain,
    "super_resolution": SuperResolution,
    "swav": SwAV,
    "vicreg": VICReg,
    "w_mse": WMSE,
}


def register(
    name: str, *, paper: str = "", negatives: str = "", stores: str = ""
) -> Callable[[type[Registered]], type[Registered]]:
    """A decorator that adds a class of method to those that `method=NAME` finds.

    paper: authors, year and arXiv number, as "Chen et al. 2020, arXiv:2002.05709". negatives: what an instance is
    contrasted with. stores: what is kept beside networks, such as "a queue"; all three are shown in the table of
    methods. Raises UserError for a name that is taken by another class.
    """

    def add(cls: type[Registered]) -> type[Registered]:
        held = METHODS.get(name)
        if held is not None and (held.__module__, held.__qualname__) != (cls.__module__, cls.__qualname__):
            raise UserError(f"method '{name}' is registered already, as {held.__name__}: choose another name")
        cls.paper, cls.repels, cls.stores = paper, negatives, stores
        METHODS[name] = cls
        return cls

    return add


def find_method(name: str) -> type[Method]:
    """The class of that name; an unknown name is a UserError that lists the known ones."""
    if name not in METHODS:
        raise UserError(f"method '{name}' is not known: {', '.join(sorted(METHODS))}")
    return METHODS[name]
