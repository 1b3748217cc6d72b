"""A masked perceptron evaluated one entry after another, every unit once: a triangular solve.

Units lie in the order of their degrees, so that once the entry at position p is known, so are all units of degree p.
As in a blocked triangular solver, what a block of positions receives from all earlier ones is computed by large matrix
products when the block begins; only what happens within the block goes in sequence. In sum this is the arithmetic of
one forward pass without what the masks multiply by zero.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from priorcraft.nn.masked import MaskedLinear, MaskedMLP

BLOCK_UNITS = 32  # enough for the products before a block, few enough for the sequence within it


class Rows:
    """One linear map whose outputs are asked for a few at a time, as its inputs become known.

    Args:
        weight: (G, outputs, inputs); G weights for G groups of columns.
        bias: (G or 1, outputs, N or 1).
        inputs: (G, inputs, N), filled from outside.
    """

    def __init__(self, weight: Tensor, bias: Tensor, inputs: Tensor) -> None:
        self.weight, self.bias, self.inputs = weight, bias, inputs

    def begin(self, first: int, last: int, known: int) -> None:
        """Gathers what outputs first ... last-1 receive from the first `known` inputs, in one product."""
        self.first, self.known = first, known
        self.base = _affine(self.bias[:, first:last], self.weight[:, first:last, :known], self.inputs[:, :known])

    def rows(self, first: int, last: int, known: int, mask: Tensor | None = None) -> Tensor:
        """Outputs first ... last-1, now that `known` inputs are there; (G, last - first, N).

        A mask is needed only where some of these outputs must not see some of these inputs.
        """
        weight, inputs = self.weight[:, first:last, self.known : known], self.inputs[:, self.known : known]
        weight = weight if mask is None else weight * mask
        return _affine(self.base[:, first - self.first : last - self.first], weight, inputs)


def _affine(base: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
    if len(weight) == 1:
        return torch.addmm(base[0], weight[0], inputs[0])[None]
    return torch.baddbmm(base, weight, inputs)


class TriangularSteps:
    """The state of one solve, for O orders with n rows each.

    Args:
        net: the network.
        orders: (O, D); orders[o, p] is the entry at position p.
        rows: n.
        context: (O, n, length), if the network has one.
    """

    def __init__(self, net: MaskedMLP, orders: Tensor, rows: int, context: Tensor | None = None) -> None:
        self.net, self.orders, self.groups = net, orders, len(orders)
        positions = torch.arange(net.entries, device=orders.device)
        self.codes = self._zeros(net.entries * net.features, rows)
        self.last = self._zeros(len(net.degrees), rows)
        self.enter = Rows(self._columns(net.enter.weight), _bias(net.enter.bias, net.context, context), self.codes)
        self.hidden = [[self._square(layer, rows) for layer in block] for block in net.blocks]  # pyright: ignore[reportGeneralTypeIssues, reportArgumentType]
        bias = _bias(net.leave.bias, net.context_out, context)
        self.outputs = [Rows(self._rows(net.leave.weight), self._rows(bias), self.last)]
        if net.direct is not None:
            weight = self._rows(self._columns(net.direct.weight))
            self.outputs.append(Rows(weight, self._rows(net.direct.bias[None, :, None]), self.codes))
        self.units = [0, *torch.searchsorted(net.degrees, positions, right=True).tolist()]
        self.block = max(1, min(net.entries, BLOCK_UNITS * net.entries // len(net.degrees)))
        self.end = 0

    def _zeros(self, units: int, rows: int) -> Tensor:
        return self.net.enter.weight.new_zeros(self.groups, units, rows)

    def _square(self, layer: MaskedLinear, rows: int) -> Rows:
        inputs = self._zeros(len(layer.weight), rows).view(1, len(layer.weight), -1)
        return Rows(layer.weight[None], layer.bias[None, :, None], inputs)

    def _columns(self, weight: Tensor) -> Tensor:
        """(outputs, D * features) with columns in the order of positions, (O, outputs, D * features)."""
        return weight.unflatten(1, (self.net.entries, -1))[:, self.orders].transpose(0, 1).flatten(2)

    def _rows(self, rows: Tensor) -> Tensor:
        """(O, D * outputs, ...), or one for all, with rows in the order of positions."""
        rows = rows.expand(self.groups, *rows.shape[-2:]).unflatten(1, (self.net.entries, -1))
        return rows[torch.arange(self.groups, device=rows.device)[:, None], self.orders].flatten(1, 2)

    def parameters(self, p: int) -> Tensor:
        """Parameters of the entry at position p, (O, n, outputs); all earlier positions must have been pushed."""
        return self.ahead(p, p)

    def ahead(self, p: int, past: int) -> Tensor:
        """Parameters of the entry at position p if it followed the first `past` positions, (O, n, outputs).

        Needs past <= p < past + `block`, and the first `past` positions pushed.
        """
        if p >= self.end:
            self._begin(past, min(past + self.block, self.net.entries))
        first, last = p * self.net.outputs, (p + 1) * self.net.outputs
        known = [self.units[past], past * self.net.features]
        parts = [o.rows(first, last, k) for o, k in zip(self.outputs, known, strict=False)]
        return torch.stack(parts).sum(0).transpose(1, 2) if len(parts) > 1 else parts[0].transpose(1, 2)

    def _begin(self, start: int, end: int) -> None:
        """Starts the block of positions start ... end-1."""
        self.end, first, last = end, self.units[start], self.units[end]
        self.enter.begin(first, last, start * self.net.features)
        for layer in (layer for block in self.hidden for layer in block):
            layer.begin(first, last, first)
        for part, known in zip(self.outputs, [first, start * self.net.features], strict=False):
            part.begin(start * self.net.outputs, end * self.net.outputs, known)

    def push(self, codes: Tensor, start: int) -> None:
        """Takes codes (O, n, k, features) of positions start ... start+k-1; computes the units that they complete."""
        end = start + codes.shape[2]
        if end > self.end:
            self._begin(start, end)
        self.codes[:, start * self.net.features : end * self.net.features] = codes.flatten(2).transpose(1, 2)
        first, last = self.units[start], self.units[end]
        if first < last:
            masks = (None, None) if end - start == 1 else self._masks(start, end, first, last)
            self._complete(first, last, end * self.net.features, *masks)

    def _masks(self, start: int, end: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        enter, hidden, _ = self.net.masks(torch.arange(self.net.entries, device=self.orders.device))
        columns = slice(start * self.net.features, end * self.net.features)
        return enter[first:last, columns], hidden[first:last, first:last]

    def _complete(self, first: int, last: int, known: int, enter: Tensor | None, hidden: Tensor | None) -> None:
        h = self.enter.rows(first, last, known, enter).transpose(0, 1).reshape(1, last - first, -1)
        for inner, outer in self.hidden:
            inner.inputs[:, first:last] = F.silu(h)
            outer.inputs[:, first:last] = F.silu(inner.rows(first, last, last, hidden))
            h = h + outer.rows(first, last, last, hidden)
        self.last[:, first:last] = F.silu(h).view(last - first, self.groups, -1).transpose(0, 1)


def _bias(bias: Tensor, linear: nn.Linear | None, context: Tensor | None) -> Tensor:
    """(1, outputs, 1), or (O, outputs, n) with a context."""
    if linear is None or context is None:
        return bias[None, :, None]
    return bias[None, :, None] + linear(context).transpose(1, 2)
