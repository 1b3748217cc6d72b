"""The class that is not known."""

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Approximate


@torch.no_grad()
def completed(model: Approximate, x: Tensor, given: Tensor | None, generator: Generator) -> Tensor | None:
    """`given`, with each class that is not known drawn from q(c | x).

    q(c | x) is proportional to p(c) p(x, z | c) / q(z | x, c) at one z for each class. The gradient of the bound at
    the drawn class has the expectation of that of log sum_c p(c) p(x, z | c) / q(z | x, c) (Fisher's identity).
    """
    if not model.classes:
        return model._check_context(given, len(x))
    given = torch.full((len(x),), UNLABELLED, device=x.device) if given is None else given.clone()
    unknown = given == UNLABELLED
    if bool(unknown.any()):
        joint = model._joint(lambda x, c: model._log_weights(x, c, 1, generator)[0], x[unknown])
        given[unknown] = runtime.categorical(joint, generator=generator)
    return model._check_context(given, len(x))
