"""`sample`: new points from a fitted model."""

import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor

from priorcraft import runtime
from priorcraft.answer import ARRAY, Facts, Picture, Piece, Rows
from priorcraft.cells.types import retyped
from priorcraft.cells.writing import as_parquet, frame_like, written
from priorcraft.core import Generative
from priorcraft.datasets.columns import Columns, Decoded
from priorcraft.errors import UsageError, did_you_mean
from priorcraft.explicit.exact.chain import Autoregressive, Method
from priorcraft.explicit.exact.ensemble import Ensemble
from priorcraft.outputs import folder_name, packed
from priorcraft.report.grid import picture, pixels, png
from priorcraft.report.pictures import Pictures
from priorcraft.run import Run
from priorcraft.run.data import Given, label_of, opened
from priorcraft.run.where import drawn_where

SHOWN = 5  # samples, or lines of them, that are shown
LARGEST = 10_000_000  # entries of one answer, n times the entries of a point, in units of a hundred


@dataclass(frozen=True)
class Samples(Pictures):
    """Points drawn from a model.

    Args:
        n: how many.
        seconds: of drawing.
        method: the sampler.
        network_evaluations: of an autoregressive model; None for others.
        forward_ratio: time over that of one pass of the network over as many points.
        x: points, (n, *event_shape), integers, or real numbers.
        y: their classes by number, (n,); None where none were drawn or asked for.
        run: the model that they are of.
        seed: of the draws.
        accepted: share of the draws that met the conditions; None without any.
        evidence: "exact" if the rows are draws of p(row | conditions), "weighted" if particles were weighed for them.
        effective: how many independent rows they are worth: n if exact, else n times the share of particles that count.
        kept, drawn: how many of how many draws met the conditions.
        met: the columns of a table's rows that met them.
    """

    writes: ClassVar = {"out": (".npz", ".png", ".csv", ".parquet")}
    pictured: ClassVar = ()  # a .png is all of them; a folder has one for each

    n: int
    seconds: float
    method: str
    network_evaluations: int | None
    forward_ratio: float | None
    x: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    y: Tensor | None = field(repr=False, compare=False, metadata=ARRAY)
    run: Run = field(repr=False, compare=False, metadata=ARRAY)
    seed: int = field(repr=False, compare=False, metadata=ARRAY)
    accepted: float | None = None
    evidence: Literal["exact", "weighted"] | None = None
    effective: float | None = None
    kept: int | None = None
    drawn: int | None = None
    met: tuple[Decoded, ...] | None = field(default=None, repr=False, compare=False, metadata=ARRAY)

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes of the samples."""
        return None if self.y is None else [self.run.classes[int(c)] for c in self.y]

    @cached_property
    def _drawn(self) -> tuple[Decoded, ...]:
        """The columns of a table's rows; numbers are drawn within their bins."""
        columns = table_of(self.run)
        return self.met or columns.decoded(self.x.numpy(), runtime.keyed(self.seed, "cells"))

    @property
    def cells(self) -> list[list[str]]:
        """The rows of a table as text, under the names of `run.columns.header`.

        Raises:
            UsageError: a model that was not fitted to a table.
        """
        return table_of(self.run).cells_of(self._drawn, self.classes)

    @property
    def table(self) -> pa.Table:
        """The same with the columns' own types, as an Arrow table.

        Raises:
            UsageError: as `cells`.
        """
        return table_of(self.run).table_of(self._drawn, self.classes)

    @property
    def frame(self) -> Any:
        """The same as a data frame of the library whose frame was fitted, and with its types; see `frame_like`."""
        columns = table_of(self.run)
        return frame_like(self.table, columns.source, columns.dtypes)

    def shown(self) -> list[Piece]:
        """What they took, and the first of them."""
        facts = {key: value for key, value in self.to_dict().items() if key != "out"}
        space = self.run.model.space
        if self.run.columns is not None:
            head = [dict(zip(self.run.columns.header, row, strict=True)) for row in self.cells[:SHOWN]]
            return [Facts(facts), Rows(head, f"the first {len(head)} of {self.n:,}")]
        if not space.is_image:
            return [Facts(facts)]
        return [Facts(facts), Picture(picture(self.x[: 8 * SHOWN], space), f"samples of {self.run.name}")]

    def images_named(self) -> list[str]:
        """The number of each, and its class."""
        digits = len(str(self.n - 1))
        classes = self.classes or [""] * self.n
        return [f"{i:0{digits}d}" + (f"-{folder_name(name)}" if name else "") for i, name in enumerate(classes)]

    def restored(self, number: int, suffix: str) -> bytes:
        """One sample in its own pixels.

        Raises:
            UsageError: a model of something else than images.
        """
        if not self.run.model.space.is_image:
            raise UsageError("a folder takes images; this model draws rows: give a .csv, .parquet or .npz.")
        return png(Image.fromarray(pixels(self.x[number : number + 1], self.run.model.space)[0]))

    def _bytes(self, what: str, suffix: str) -> bytes:
        if suffix == ".csv":
            return written(table_of(self.run).header, self.cells)
        if suffix == ".parquet":
            return as_parquet(retyped(self.table, table_of(self.run).dtypes))
        if suffix == ".png":
            return picture(self.x, self.run.model.space)
        names = {} if self.classes is None else {"y": np.array(self.classes)}
        return packed({"x": self.x.numpy()} | names)


def sample(
    run: str | Path | Run,
    n: int = 16,
    *,
    given: Given | None = None,
    where: str = "",
    seed: int = 0,
    method: str = "auto",
) -> Samples:
    """Draw from a fitted model.

    Args:
        run: the run folder, or what `fit` and `load` return.
        n: how many samples.
        given: label=CLASS; without it the classes are drawn from p(c), too.
        where: of a table, conditions on any of its columns, as "sex=F, age>60, state in (NY, NJ)"; a class and single
            words are evidence by Bayes' theorem, the rest is met by drawing until it is.
        seed: of every random draw: the same seed gives the same samples.
        method: of a single autoregressive model: fast (its own sampler), jacobi (rounds of the whole network), naive (a
            pass an entry), or auto. The same seed gives the same samples by any of them, but for rounding.

    Writes:
        out (required): .npz for the numbers (x, and the names of classes y), .png for a picture of all, a folder for a
            .png of each, .csv or .parquet for a table like the one that was fitted, the label drawn like the rest.

    Raises:
        UsageError: n below 1 or too large, or an unknown label.
    """
    fitted, device = opened(run)
    limit = LARGEST * 100 // fitted.model.space.dims
    if not 1 <= n <= limit:
        raise UsageError(f"n must lie in 1 ... {limit:,} for points of this size, not {n:,}.")
    if where:
        if given:
            raise UsageError("where names the class like any other column; leave given out.")
        began = time.perf_counter()
        found = drawn_where(fitted, table_of(fitted), where, n, seed=seed)
        account = (round(time.perf_counter() - began, 4), f"{found.kind}, by evidence and rejection", None, None)
        evidence = "exact" if found.kind == "exact" else "weighted"
        worth = (found.kept / found.drawn, evidence, round(n * found.share, 1), found.kept, found.drawn)
        return Samples(n, *account, found.x, found.y, fitted, seed, *worth, found.columns)
    label = label_of(fitted, given)
    generator = runtime.keyed(seed, "sample", device=device)
    if fitted.columns is not None and fitted.classes and label is None:
        label = fitted.model.contexts(n, generator=generator)
    x, account = drawn_with_account(fitted.model, n, label, generator, method_of(method))
    return Samples(n, *account, x, None if label is None else label.cpu().expand(n), fitted, seed)


def table_of(run: Run) -> Columns:
    """The columns of the table that a model was fitted to.

    Raises:
        UsageError: a model that was not fitted to a table.
    """
    if run.columns is None:
        raise UsageError("a .csv needs a model of a table's columns; this one was not fitted to a table.")
    return run.columns


Account = tuple[float, str, int | None, float | None]  # seconds, sampler, evaluations of the network, forward ratio


def drawn_with_account(
    model: Generative, n: int, given: torch.Tensor | None, generator: torch.Generator, method: Method = Method.AUTO
) -> tuple[torch.Tensor, Account]:
    """Samples on the CPU, and what they took: seconds, and for autoregressive models the sampler and its price."""
    if isinstance(model, Autoregressive):
        x, report = model.sample_report(n, given=given, generator=generator, method=method)
        ratio = round(report.forward_ratio, 3)
        return x, (round(report.seconds, 4), report.method, report.network_evaluations, ratio)
    if method is not Method.AUTO:
        raise UsageError("method can be chosen for a single autoregressive model alone: masked-mlp or masked-conv.")
    start = time.perf_counter()
    x = model.sample(n, given=given, generator=generator).cpu()
    seconds = time.perf_counter() - start
    return x, (round(seconds, 4), *price_of(model, x, given, seconds))


def price_of(
    model: Generative, x: torch.Tensor, given: torch.Tensor | None, seconds: float
) -> tuple[str, int | None, float | None]:
    """Sampler, evaluations, and the ratio to one pass of the network where an ensemble has one; it draws its part."""
    members = model.parts() if isinstance(model, Ensemble) else []
    networks = [member for member in members if isinstance(member, Autoregressive)]
    if not networks:
        return "direct", None, None
    context = networks[0].contexts(len(x), given, generator=runtime.keyed("any class", device=model.device))
    ratio = round(seconds / networks[0].forward_seconds(x, context), 3)
    return f"members by weight, {networks[0].sampler}", 1, ratio


def method_of(name: str) -> Method:
    """The method of that name."""
    if name not in list(Method):
        raise UsageError(f"there is no method '{name}': {did_you_mean(name, list(Method))}")
    return Method(name)
