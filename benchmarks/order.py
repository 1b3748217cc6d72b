"""How much the order matters: exact log p of test digits in several orders, by one masked perceptron.

    python benchmarks/order.py [--steps 500] [--out docs/order.png]

Prints a table, and draws it as bars: how many nats more an order costs than the exact ensemble of the eight orders
that the model was trained in. All figures are means of -log p(x | class) over the 450 test digits; the errors are those
of the difference to the ensemble, row by row.
"""

import argparse
import tempfile

import torch
from matplotlib.figure import Figure
from torch import Tensor

import priorcraft as pc
from priorcraft.datasets import Splits
from priorcraft.explicit.exact.autoregressive import Autoregressive, evidence_first
from priorcraft.runtime import keyed

TRAINED, UNSEEN = "#0f766e", "#c2410c"
Bar = tuple[str, str, float, float]  # name, colour, nats more than the ensemble, standard error


def orders(density: Autoregressive) -> dict[str, tuple[str, Tensor]]:
    """Orders (O, 64) by name, with the colour that says whether they were trained in."""
    grid = torch.arange(64).view(8, 8)
    centre = ((grid // 8 - 3.5) ** 2 + (grid % 8 - 3.5) ** 2).flatten()
    lower, checks = grid.flatten() >= 32, (grid // 8 + grid % 8).flatten() % 2 == 0
    random = torch.stack([torch.randperm(64, generator=keyed("unseen", i)) for i in range(8)])
    unseen = {
        "raster, backwards": grid.flatten().flip(0),
        "columns": grid.t().flatten(),
        "evidence first: lower half": evidence_first(grid.view(1, -1), lower)[0],
        "evidence first: every other pixel": evidence_first(grid.view(1, -1), checks)[0],
        "centre first": centre.argsort(stable=True),
        "border first": centre.argsort(stable=True, descending=True),
        "a random one": random[0],
        "another random one": random[1],
    }
    trained = {"raster": density.orders[:1], "a random one, trained in": density.orders[1:2]}
    many = {"ensemble of 2 of its orders": density.orders[:2], "ensemble of 4 of its orders": density.orders[:4]}
    return (
        {name: (TRAINED, order) for name, order in (trained | many).items()}
        | {name: (UNSEEN, order[None]) for name, order in unseen.items()}
        | {"ensemble of 8 random ones": (UNSEEN, random)}
    )


@torch.no_grad()
def bars(density: Autoregressive, digits: Splits) -> tuple[float, list[Bar]]:
    """Nats of the ensemble, and what every order costs against it."""
    x, y = digits.test.x.long(), digits.test.y
    own, found = density.log_prob(x, y), []
    for name, (colour, several) in orders(density).items():
        each = torch.stack([density.log_prob_in(x, order, y) for order in several])
        more = own - each.logsumexp(0) + torch.tensor(float(len(several))).log()
        found.append((name, colour, float(more.mean()), float(more.std()) / len(more) ** 0.5))
    return -float(own.mean()), sorted(found, key=lambda bar: bar[2])


def draw(nats: float, found: list[Bar], path: str) -> None:
    """The bars as a picture."""
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    axes = figure.add_subplot(xlabel=f"nats more than the ensemble of 8 orders (line, {nats:.1f} nats)")
    names, colours, more, errors = zip(*reversed(found), strict=True)
    axes.barh(names, more, xerr=errors, color=colours, height=0.7, error_kw={"ecolor": "#334155", "lw": 1})
    axes.axvline(0, color="#7c3aed", lw=2)
    for i, (value, error) in enumerate(zip(more, errors, strict=True)):
        axes.annotate(
            f"{nats + value:.1f}", (value + error, i), (4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    for colour, label in ((TRAINED, "trained in"), (UNSEEN, "never trained in")):
        axes.barh([0], [0], color=colour, label=label)
    axes.legend(frameon=False, loc="upper right")
    axes.set_title("-log p(x | class) of 8 x 8 digits by one network, in different orders", fontsize=11, loc="left")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Fits, measures, prints and draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--out", default="docs/order.png")
    given = parser.parse_args()
    digits = pc.open_data("digits")
    with tempfile.TemporaryDirectory() as folder:
        pc.fit(digits, "masked-mlp", out=f"{folder}/run", steps=given.steps)
        density = pc.load(f"{folder}/run").model
    assert isinstance(density, Autoregressive)
    nats, found = bars(density, digits)
    print(f"{'its own ensemble of 8':36} {nats:6.1f}")
    for name, colour, more, error in found:
        print(f"{name:36} {nats + more:6.1f}  {more:+5.1f} ± {error:.1f}  {'trained in' if colour == TRAINED else ''}")
    draw(nats, found, given.out)


if __name__ == "__main__":
    main()
