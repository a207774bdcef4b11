"""The methods by name. A new one is a file here and a line below."""

from seqclr.errors import UserError
from seqclr.methods.base import Method
from seqclr.methods.generated import Generated
from seqclr.methods.generated_simclr import GeneratedSimCLR
from seqclr.methods.masked import Masked
from seqclr.methods.masked_simclr import MaskedSimCLR
from seqclr.methods.simclr import SimCLR
from seqclr.methods.simsiam import SimSiam

METHODS: dict[str, type[Method]] = {
    "generated": Generated,
    "generated_simclr": GeneratedSimCLR,
    "masked": Masked,
    "masked_simclr": MaskedSimCLR,
    "simclr": SimCLR,
    "simsiam": SimSiam,
}


def find_method(name: str) -> type[Method]:
    """The class of that name; an unknown name is a UserError that lists the known ones."""
    if name not in METHODS:
        raise UserError(f"method '{name}' is not known: {', '.join(sorted(METHODS))}")
    return METHODS[name]
