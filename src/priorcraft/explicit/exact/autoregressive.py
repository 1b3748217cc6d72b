"""The autoregressive family: one contract, and its members."""

from priorcraft.explicit.exact.chain import Autoregressive, Method, SamplingReport, ensemble, evidence_first
from priorcraft.explicit.exact.masked_conv import MaskedConvolution
from priorcraft.explicit.exact.masked_mlp import MaskedAutoregressive

__all__ = [
    "Autoregressive",
    "MaskedAutoregressive",
    "MaskedConvolution",
    "Method",
    "SamplingReport",
    "ensemble",
    "evidence_first",
]
