"""A masked perceptron evaluated one entry after another, every unit once: a triangular solve.

Units lie in the order of their degrees, so that once the entry at position p is known, so are all units of degree p.
As in a blocked triangular solver, what a block of positions receives from all earlier ones is computed by large matrix
products when the block begins; only what happens within the block goes in sequence. In sum this is the arithmetic of
one forward pass without what the masks multiply by zero.

Everything is kept as (units, rows), or (orders, units, rows) for several orders. What is not known yet is zero in the
buffers, so a product may run over a whole block, whatever is known of it.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from priorcraft.nn.masked import MaskedLinear, MaskedMLP

silu: Callable[..., Tensor] = torch._C._nn.silu  # pyright: ignore  # the public one cannot write into a buffer
BLOCK_UNITS = 80  # enough for the products before a block, few enough for the sequence within it


class Affine:
    """One affine map whose outputs are asked for a few at a time, as its inputs become known.

    Args:
        bias: (..., outputs, 1 or N).
        sources: weights (..., outputs, inputs), and the buffers (..., inputs, N) from which they take their inputs.
    """

    def __init__(self, bias: Tensor, *sources: tuple[Tensor, Tensor]) -> None:
        self.bias, self.sources = bias, sources

    def begin(self, first: int, sizes: Sequence[int], known: Sequence[int], end: Sequence[int]) -> None:
        """Gathers what a block of outputs receives from the inputs before it, in large products.

        Args:
            first: the block's first output.
            sizes: number of outputs at each of its positions.
            known, end: for each source, how many inputs lie before the block, and before its end.
        """
        rows = slice(first, first + sum(sizes))
        base, self.known = self.bias[..., rows, :], known
        for (weight, inputs), k in zip(self.sources, known, strict=True):
            base = product(base, weight[..., rows, :k], inputs[..., :k, :])
        self.bases = base.split(list(sizes), -2)
        blocks = [w[..., rows, k:e].contiguous() for (w, _), k, e in zip(self.sources, known, end, strict=True)]
        self.weights = [block.split(list(sizes), -2) for block in blocks]
        self.inputs = [z[..., k:e, :] for (_, z), k, e in zip(self.sources, known, end, strict=True)]

    def at(self, i: int) -> Tensor:
        """Outputs at the block's position i, from all inputs that are there, (..., sizes[i], N)."""
        out = self.bases[i]
        for weights, inputs in zip(self.weights, self.inputs, strict=True):
            out = product(out, weights[i], inputs)
        return out

    def before(self, i: int, past: Sequence[int]) -> Tensor:
        """The same from the first `past` inputs of each source alone."""
        out = self.bases[i]
        for weights, inputs, k, n in zip(self.weights, self.inputs, self.known, past, strict=True):
            out = product(out, weights[i][..., : n - k], inputs[..., : n - k, :])
        return out

    def between(self, i: int, j: int, mask: Tensor) -> Tensor:
        """Outputs at positions i ... j-1 together; the mask says which of them see which of the block's inputs."""
        weights = torch.cat(self.weights[0][i:j], -2)
        return product(torch.cat(self.bases[i:j], -2), weights * mask, self.inputs[0][..., : mask.shape[1], :])


def product(base: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
    """base + weight @ inputs, of matrices or of stacks of them."""
    return torch.addmm(base, weight, inputs) if base.dim() == 2 else torch.baddbmm(base, weight, inputs)


class TriangularSteps:
    """The state of one solve, for O orders with n rows each.

    Args:
        net: the network.
        orders: (O, D); orders[o, p] is the entry at position p.
        rows: n.
        context: (O, n, length), if the network has one.
    """

    @torch.no_grad()
    def __init__(self, net: MaskedMLP, orders: Tensor, rows: int, context: Tensor | None = None) -> None:
        self.net, self.orders, self.rows, self.groups = net, orders, rows, len(orders)
        positions = torch.arange(net.entries, device=orders.device)
        self.units = [0, *torch.searchsorted(net.degrees, positions, right=True).tolist()]
        self.block = max(1, min(net.entries, BLOCK_UNITS * net.entries // len(net.degrees)))
        self.start = self.end = 0
        self.codes = self._grouped(self._zeros(self.groups, net.entries * net.features, rows))
        self.hidden = [self._residual(block) for block in net.blocks]
        self.last = self._zeros(len(net.degrees), self.groups * rows)
        bias = _bias(net.enter.bias, net.context, context).expand(self.groups, -1, -1)
        self.enter = Affine(self._grouped(bias), (self._grouped(self._columns(net.enter.weight)), self.codes))
        self.outputs = self._output(context)

    def _zeros(self, *shape: int) -> Tensor:
        return self.net.enter.weight.new_zeros(shape)

    def _grouped(self, stack: Tensor) -> Tensor:
        """(O, ...), or a single matrix where there is but one order."""
        return stack[0] if self.groups == 1 else stack

    def _residual(self, block: nn.Module) -> list[tuple[Affine, Tensor]]:
        """The two maps of a residual block, each with the buffer of its inputs; shared by all orders."""
        buffers = [self._zeros(len(self.net.degrees), self.groups * self.rows) for _ in range(2)]
        layers: list[MaskedLinear] = list(block)  # pyright: ignore[reportArgumentType]
        return [(Affine(m.bias[:, None], (m.weight, z)), z) for m, z in zip(layers, buffers, strict=True)]

    def _output(self, context: Tensor | None) -> Affine:
        last = self.last if self.groups == 1 else self.last.view(-1, self.groups, self.rows).transpose(0, 1)
        sources = [(self._grouped(self._entries(self.net.leave.weight)), last)]
        bias = _bias(self.net.leave.bias, self.net.context_out, context)
        if self.net.direct is not None:
            turned = self._columns(self._entries(self.net.direct.weight))
            sources.append((self._grouped(turned), self.codes))
            bias = bias + self.net.direct.bias[None, :, None]
        return Affine(self._grouped(self._entries(bias)), *sources)

    def _entries(self, rows: Tensor) -> Tensor:
        """(D * k, m) or (O, D * k, m) with rows in the order of positions, (O, D * k, m)."""
        rows = rows.contiguous()  # whole rows are then copied at once
        each = rows.expand(self.groups, *rows.shape[-2:]).reshape(
            -1, self.net.entries, rows.shape[-2:].numel() // self.net.entries
        )
        out = rows.new_empty(each.shape)
        for part, order, into in zip(each, self.orders, out, strict=True):
            torch.index_select(part, 0, order, out=into)
        return out.view(self.groups, *rows.shape[-2:])

    def _columns(self, weight: Tensor) -> Tensor:
        """(outputs, D * features) or (O, ...) with columns in the order of positions, (O, outputs, D * features)."""
        return self._entries(weight.mT).mT

    def parameters(self, p: int) -> Tensor:
        """Parameters of the entry at position p, (O, n, outputs); all earlier positions must have been pushed."""
        if p >= self.end:
            self._begin(p, min(p + self.block, self.net.entries))
        return self._shaped(self.outputs.at(p - self.start))

    def ahead(self, p: int, past: int) -> Tensor:
        """Parameters of the entry at position p if it followed the first `past` positions, (O, n, outputs).

        Needs past <= p < past + `block`, and the first `past` positions pushed.
        """
        if p >= self.end:
            self._begin(past, min(past + self.block, self.net.entries))
        known = (self.units[past], past * self.net.features)[: len(self.outputs.sources)]
        return self._shaped(self.outputs.before(p - self.start, known))

    def _shaped(self, out: Tensor) -> Tensor:
        return out.view(self.groups, -1, self.rows).mT

    def _begin(self, start: int, end: int) -> None:
        """Starts the block of positions start ... end-1."""
        self.start, self.end = start, end
        first, last, known, upto = (
            self.units[start],
            self.units[end],
            start * self.net.features,
            end * self.net.features,
        )
        sizes = [b - a for a, b in pairwise(self.units[start : end + 1])]
        self.enter.begin(first, sizes, [known], [upto])
        self.open_last = self.last[first:last].split(sizes)
        self.open = [[(m, z[first:last].split(sizes)) for m, z in block] for block in self.hidden]
        for m in (m for block in self.hidden for m, _ in block):
            m.begin(first, sizes, [first], [last])
        outputs = [self.net.outputs] * (end - start)
        ways = len(self.outputs.sources)  # one without direct connections
        self.outputs.begin(start * self.net.outputs, outputs, [first, known][:ways], [last, upto][:ways])

    @torch.no_grad()
    def push(self, codes: Tensor, start: int) -> None:
        """Takes codes (O, n, k, features) of positions start ... start+k-1; computes the units that they complete."""
        end = start + codes.shape[2]
        if end > self.end:
            self._begin(start, end)
        rows = slice(start * self.net.features, end * self.net.features)
        self.codes[..., rows, :] = self._grouped(codes.flatten(2).mT)
        if end - start > 1:
            self._complete_many(start, end)
        elif self.units[start] < self.units[end]:
            self._complete(start - self.start)

    def _complete(self, i: int) -> None:
        """The units of the block's position i."""
        h = self._flat(self.enter.at(i))
        for (inner, into), (outer, between) in self.open:
            silu(h, out=into[i])
            silu(inner.at(i), out=between[i])
            h = h + outer.at(i)
        silu(h, out=self.open_last[i])

    def _complete_many(self, start: int, end: int) -> None:
        """The units of several positions together, of which masks say who sees whom."""
        i, j, first, last = start - self.start, end - self.start, self.units[self.start], self.units[end]
        masks = self.net.masks(torch.arange(self.net.entries, device=self.orders.device))
        enter, hidden = (mask[self.units[start] : last] for mask in masks[:2])
        h = self._flat(self.enter.between(i, j, enter[:, self.start * self.net.features : end * self.net.features]))
        into = slice(self.units[start], last)
        for (inner, z), (outer, w) in self.hidden:
            silu(h, out=z[into])
            silu(inner.between(i, j, hidden[:, first:last]), out=w[into])
            h = h + outer.between(i, j, hidden[:, first:last])
        silu(h, out=self.last[into])

    def _flat(self, h: Tensor) -> Tensor:
        """(O, units, n) as (units, O * n), in which the orders share their weights."""
        return h if self.groups == 1 else h.transpose(0, 1).flatten(1)


def _bias(bias: Tensor, linear: nn.Linear | None, context: Tensor | None) -> Tensor:
    """(1, outputs, 1), or (O, outputs, n) with a context."""
    if linear is None or context is None:
        return bias[None, :, None]
    return bias[None, :, None] + linear(context).mT
