"""Masked convolutions as a density of images, in any order of the entries."""

from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from priorcraft.core import Likelihood, Space, Trainable
from priorcraft.errors import UsageError
from priorcraft.explicit.deforming import NUMBERS, Deforming
from priorcraft.explicit.exact.cells import Cells, Stage
from priorcraft.explicit.exact.chain import Autoregressive, evidence_first
from priorcraft.explicit.exact.entries import Entries
from priorcraft.explicit.exact.foreseen import Foreseen, Neighbourhood
from priorcraft.explicit.exact.surroundings import Surroundings, context_net, random_part
from priorcraft.likelihoods import CATEGORICAL_LIMIT
from priorcraft.nn.local_masked import LocallyMaskedNet
from priorcraft.nn.local_steps import LocalSteps, WithinSteps
from priorcraft.nn.masked import MaskedMLP
from priorcraft.settings import Depth, Dropout, Range, Share, Width

FEATURES = 2**20  # numbers in one layer at once


class MaskedConvolution(Autoregressive, Trainable):
    """Masked convolutions over cells of pixels, in which a cell sees the neighbours that come earlier in any order.

    (van den Oord et al. 2016, arXiv:1601.06759; Jain, Abbeel & Pathak 2020, arXiv:2006.12486)

    A cell is a square of pixels with its channels; its entries follow one another through a masked perceptron. The
    ensemble's orders are the raster of the cells and its flips and transposes, where neighbours are the same everywhere
    and ordinary convolutions do. Any other order of the entries is cut into stages (`Cells.stages`); in each of them
    what earlier stages have settled is seen from everywhere. Evidence first takes two stages, a random permutation of
    the entries hundreds, one pass of the network each.

    Args:
        space, context: as in `Generative`; x is an image, c may be a label, an image or a vector.
        orders: size O of the ensemble, 1 ... 8.
        channels, depth: of the network.
        window: side of the first convolution's window, in cells.
        patch: side of a cell in pixels.
        dropout: share of features left out in training.
        any_order: share of the training steps in which a random part of the entries comes first.
        augment, augment_last: share of the images that are deformed a little, at the start of the training, and from
            70 % of it to the end.
        linear: side of a window, in pixels: each entry is first predicted linearly from the earlier ones in it, and the
            network learns what is left, in units of its deviation; 0 without. For more than 32 levels.
    """

    sampler = "cached convolution"

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        orders: Annotated[int, Range(1, 8)] = 8,
        channels: Width = 64,
        depth: Depth = 6,
        window: Annotated[int, Range(1, 63)] = 7,
        patch: Annotated[int, Range(1, 16)] = 1,
        dropout: Dropout = 0.0,
        any_order: Share = 0.0,
        augment: Share = 0.0,
        augment_last: Share = 0.0,
        linear: Annotated[int, Range(0, 15)] = 0,
    ) -> None:
        if not space.is_image:
            raise UsageError(f"space must hold images (channels, height, width), not {space.event_shape}.")
        cells = Cells(space, patch)
        super().__init__(space, context, cells.orders(orders))
        self.any_order, self.cells = any_order, cells
        self.entries = Entries(space)
        if linear and not self.entries.mixes:
            raise UsageError(f"linear needs images of more than {CATEGORICAL_LIMIT} levels; leave it out.")
        self.linear = Neighbourhood(space, linear) if linear else None
        self.features, outputs = self.entries.features + bool(linear), self.entries.outputs
        features, size = self.features, cells.members.shape[1]
        self.net = LocallyMaskedNet(size * features, cells.height, cells.width, channels, depth, window, dropout)
        self.known = Surroundings(size * features, channels, depth, dropout)
        self.sees = None if context is None else context_net(context, channels, self.classes)
        self.deforms = Deforming.of(space, augment, augment_last)
        self.told = nn.Linear(NUMBERS, channels, bias=False) if self.deforms else None
        if self.told is not None:
            nn.init.zeros_(self.told.weight)
        self.leave = nn.Linear(channels, size * outputs)
        self.by_class = nn.Parameter(torch.zeros(self.classes, space.dims, outputs)) if self.classes else None
        self.within = MaskedMLP(size, features, outputs, channels, 0, channels) if size > 1 else None

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Sets p(c) and the marginal distribution of each entry, in each class: training starts from naive Bayes."""
        super().initialise(x, given, generator=generator)
        self.entries.initialise(x.flatten(1))
        if self.linear is not None:
            self.linear.fit(x)
        if self.by_class is not None and given is not None and self.entries.tabular:
            outputs = self.entries.class_outputs(x.flatten(1), given, self.classes)
            self.by_class.data.copy_(outputs.view(self.by_class.shape))

    def conditionals(self, x: Tensor, order: Tensor, given: Tensor | None) -> Likelihood:
        """p(x_i | the entries before i in `order`) for every entry at once, over x flattened to (B, D)."""
        return self._staged(x, order, self.cells.stages(order), given)

    def log_prob_first(self, x: Tensor, order: Tensor, count: int, given: Tensor | None) -> Tensor:
        """log p of the first `count` entries of the order, from the stages that they take. Exact, nats, (B,)."""
        first = order[:count]
        stages = [stage for stage in self.cells.stages(order) if bool(stage.entries[first.cpu()].any())]
        return self._staged(x, order, stages, given).log_prob(x)[:, first].sum(-1)

    def _staged(
        self, x: Tensor, order: Tensor, stages: Sequence[Stage], given: Tensor | None, how: Tensor | None = None
    ) -> Likelihood:
        """p(x_i | what comes earlier) of the entries of some stages of an order; of the others, it means nothing."""
        foreseen = self.foreseen(x, order)
        codes, context = self.code(x, foreseen), self._context_planes(given)
        if self.told is not None and how is not None:
            deformed = self.told(how.to(self.told.weight))[..., None, None]
            context = deformed if context is None else context + deformed
        outputs = self._stage_outputs(codes, stages[0], context)
        for stage in stages[1:]:
            now = stage.entries.to(x.device)
            outputs = torch.where(now[:, None], self._stage_outputs(codes, stage, context), outputs)
        return self.likelihood(outputs + self._class_outputs(given), foreseen)

    def foreseen(self, x: Tensor, order: Tensor) -> Foreseen | None:
        """What a linear prediction says of the entries of x (B, D) in an order; None without."""
        return None if self.linear is None else self.linear.plan(order).of(x)

    def code(self, x: Tensor, foreseen: Foreseen | None) -> Tensor:
        """What the network sees of entries: their levels, and how far they are from what was foreseen."""
        codes = self.entries.code(x)
        return codes if foreseen is None else torch.cat([codes, foreseen.residual(x)], -1)

    def likelihood(self, outputs: Tensor, foreseen: Foreseen | None, entries: Tensor | None = None) -> Likelihood:
        """The distribution of all entries, or of some (k,), whose outputs are given."""
        marginal = self.entries.marginal if entries is None else self.entries.marginal[entries]
        if foreseen is None:
            return self.entries.likelihood(outputs, marginal)
        return self.entries.head(foreseen.around((outputs + marginal).float()))

    def _class_outputs(self, given: Tensor | None) -> Tensor | float:
        """What the class alone says of every entry, (B, D, outputs)."""
        if self.by_class is None or given is None:
            return 0.0
        return F.embedding(given, self.by_class.flatten(1)).view(len(given), *self.by_class.shape[1:])

    def _stage_outputs(self, codes: Tensor, stage: Stage, context: Tensor | None) -> Tensor:
        """The outputs for one stage's entries, at their places in (B, D, outputs)."""
        rows = max(1, FEATURES // self.net.place.numel())  # what a cache likes
        contexts = [None] * (1 + len(codes) // rows) if context is None else context.split(rows)
        parts = [self._rows_outputs(c, stage, around) for c, around in zip(codes.split(rows), contexts, strict=False)]
        return torch.cat(parts)

    def _rows_outputs(self, codes: Tensor, stage: Stage, context: Tensor | None) -> Tensor:
        cells = self.cells.seen(codes, stage.seen)
        h = self.net(self.cells.planes(cells), stage.cells, self._surround(codes, stage, context))
        outputs = self._outputs(h.flatten(2).transpose(1, 2), cells)
        return outputs.flatten(1, 2)[:, self.cells.slots.to(codes.device)]

    def features_at(self, x: Tensor, order: Tensor, start: int, cell: int, given: Tensor | None) -> Tensor:
        """The features (B, channels) of the cell that begins at position `start` of the order; x is (B, D)."""
        stage = self.cells.stage_of(order, order[start])
        codes = self.code(x, self.foreseen(x, order))
        around = self._surround(codes, stage, self._context_planes(given))
        h = self.net(self.cells.planes(self.cells.seen(codes, stage.seen)), stage.cells, around)
        return h.flatten(2)[:, :, cell]

    def _surround(self, codes: Tensor, stage: Stage, context: Tensor | None) -> Tensor | None:
        """The context's features and those of what is known before the stage."""
        if not bool(stage.known.any()):
            return context
        known = self.known(self.cells.planes(self.cells.seen(codes, stage.known)))
        return known if context is None else known + context

    def _outputs(self, h: Tensor, codes: Tensor) -> Tensor:
        """Features (..., channels) and codes (..., size, features) of cells to outputs (..., size, outputs)."""
        out = self.leave(h).unflatten(-1, (codes.shape[-2], -1))
        if self.within is None:
            return out
        position = torch.arange(codes.shape[-2], device=h.device)
        return out + self.within(codes.flatten(0, -3), position, h.flatten(0, -2)).view(out.shape)

    def _context_planes(self, given: Tensor | None) -> Tensor | None:
        if self.sees is None or self.context is None or given is None:
            return None
        dtype = self.entries.marginal.dtype
        if self.classes:
            return self.sees(F.one_hot(given, self.classes).to(dtype))
        c = self.context.to_network(given, dtype)
        size = (self.cells.height, self.cells.width)
        return self.sees(F.interpolate(c, size) if self.context.is_image else c.flatten(1))

    def loss_terms(
        self, x: Tensor, given: Tensor | None, *, progress: float, generator: Generator
    ) -> dict[str, Tensor]:
        """-log p(x) in one order: an upper bound on -log p(x) of the ensemble, unbiased for its mean over orders.

        With `augment`, some images are deformed, and the network is told how: see `Deforming`.
        """
        x, how = (x, None) if self.deforms is None else self.deforms(x, progress, generator)
        order = self._training_order(generator)
        stages = self.cells.stages(order)

        def density(x: Tensor, c: Tensor | None) -> Tensor:
            told = None if how is None else how.repeat_interleave(len(x) // len(how), 0)
            return self._staged(x.flatten(1), order, stages, c, told).log_prob(x.flatten(1)).sum(-1)

        return {"loss": self._loss(density, x, given)}

    def _training_order(self, generator: Generator) -> Tensor:
        order = self._some_order(generator)
        if torch.rand((), generator=generator, device=generator.device) >= self.any_order:
            return order
        return evidence_first(order[None], self._some_part(generator))[0]

    def _some_order(self, generator: Generator) -> Tensor:
        return self.orders[int(torch.randint(len(self.orders), (), generator=generator, device=generator.device))]

    def _some_part(self, generator: Generator) -> Tensor:
        """A random part of the image that is not nothing, (D,)."""
        seen = random_part(self.space, generator).flatten().to(self.orders.device)
        return seen if bool(seen.any()) else ~seen

    def _draw(self, x: Tensor, orders: Tensor, start: int, u: Tensor, given: Tensor | None) -> Tensor:
        """Exact; each activation of a stage is computed once, a cell at a time."""
        parts = [
            self._draw_in(x[o], order, start, u[o], None if given is None else given[o])
            for o, order in enumerate(orders)
        ]
        return torch.stack(parts)

    def _draw_in(self, x: Tensor, order: Tensor, start: int, u: Tensor, given: Tensor | None) -> Tensor:
        x, done = x.clone(), torch.zeros(len(order), dtype=torch.bool)
        done[order[:start].cpu()] = True
        for stage in self.cells.stages(order):
            if bool((stage.entries & ~done).any()):
                self._draw_stage(x, order, stage, done, u, given)
                done |= stage.entries
        return x

    def in_turn(
        self, x: Tensor, order: Tensor, stage: Stage, done: Tensor, given: Tensor | None
    ) -> tuple[LocalSteps, int]:
        """The state of drawing a stage's cells one after another, and the place in it of the first with more to draw.

        Args:
            x: (B, D).
            order, stage: an order, and one of its stages.
            done: True for the entries of x that are known, (D,).
            given: contexts, or None.
        """
        codes = self.code(x, self.foreseen(x, order))
        around = self._surround(codes, stage, self._context_planes(given))
        first = int((stage.entries & ~done)[self.cells.members].any(1)[stage.cells].nonzero()[0])
        seen = self.cells.planes(self.cells.seen(codes, stage.seen & done))
        return LocalSteps(self.net, stage.cells, seen, around, first), first

    def _draw_stage(
        self, x: Tensor, order: Tensor, stage: Stage, done: Tensor, u: Tensor, given: Tensor | None
    ) -> None:
        """Draws the entries of one stage that are not done yet into x (B, D)."""
        by_class = None if self.by_class is None or given is None else self.by_class[given]
        cells = self.cells.seen(self.code(x, self.foreseen(x, order)), stage.seen & done)
        open_ = (stage.entries & ~done)[self.cells.members]
        last = int(open_.any(1)[stage.cells].nonzero()[-1])
        steps, first = self.in_turn(x, order, stage, done, given)
        within = WithinSteps(self.within, self.leave)
        plan = None if self.linear is None else self.linear.plan(order)
        members, ranks = self.cells.members.to(x.device), [row.nonzero().flatten().tolist() for row in open_]
        for cell in stage.cells[first : last + 1].tolist():
            begun = within.begin(steps.features(cell))
            for rank in ranks[cell]:
                entry = members[cell, rank : rank + 1]
                outputs = begun.at(rank, cells[:, cell])[:, None]
                outputs = outputs if by_class is None else outputs + by_class[:, entry]
                foreseen = None if plan is None else plan.at(x, entry)
                x[:, entry] = self.likelihood(outputs, foreseen, entry).quantile(u[:, entry])
                cells[:, cell, rank : rank + 1] = self.code(x[:, entry], foreseen)
            steps.push(cells[:, cell].flatten(1), cell)
