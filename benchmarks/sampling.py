"""Exact samples at the price of a likelihood: time of 28 x 28 samples over the time of one forward pass.

    python benchmarks/sampling.py [--n 1024] [--threads 1]

Each row draws binary images from untrained weights, all by the same uniforms, and compares with the naive sampler (one
pass of the whole network a pixel), which every library that was looked at uses: equality is asserted on two images in
float64, for the model's own sampler and for fixed-point iteration. The naive ratio is measured on 16 images.

One forward pass is one pass of the network over all n images in one order; the ensemble's draws take one order each,
and are held against that one pass too (its exact log p(x) takes as many passes as it has orders). `half` completes the
lower half. `rounds` are those of fixed-point iteration on 16 images. Times are CPU times of the process.
"""

import argparse
import time

import torch

from priorcraft import runtime, zoo
from priorcraft.core import Space
from priorcraft.explicit.exact.autoregressive import Autoregressive, MaskedAutoregressive, MaskedConvolution

SPACE, FEW = Space((1, 28, 28), 2), 16
CONVOLUTION = {k: v for k, v in zoo.masked_conv(SPACE, 50_000).items() if k in zoo.keywords(MaskedConvolution)}
MODELS = {
    "masked MLP, 1 x 1024": lambda orders: MaskedAutoregressive(SPACE, orders=orders, width=1024),
    "masked convolution of the zoo": lambda orders: MaskedConvolution(SPACE, **CONVOLUTION | {"orders": orders}),
}


def best(action, repeats=2):
    """The least CPU time of a few, in seconds: other programs disturb it least."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return min(times)


def disturbed(model: Autoregressive) -> Autoregressive:
    """The model with every weight moved."""
    generator = runtime.keyed("weights")
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def mismatches(make) -> int:
    """Pixels of two images that the naive sampler draws otherwise."""
    model = disturbed(make(1)).double()
    u = torch.rand(2, 784, generator=runtime.keyed("u"), dtype=torch.float64)
    start, order = torch.zeros(2, 784).long(), model.orders[0]
    naive = model.fill(start, order, 0, u, None)
    others = (model.draw(start, order, 0, u, None), model.iterate(start, order, 0, u, None)[0])
    return sum(int((other != naive).sum()) for other in others)


def naive_ratio(model: Autoregressive) -> tuple[float, int]:
    """Time of naive samples over one forward pass, and the rounds of fixed-point iteration."""
    x, u = torch.zeros(FEW, 784).long(), torch.rand(FEW, 784, generator=runtime.keyed("u"))
    order = model.orders[0]
    forward = best(lambda: model.conditionals(x, order, None).log_prob(x), 5)
    return best(lambda: model.fill(x, order, 0, u, None), 1) / forward, model.iterate(x, order, 0, u, None)[1]


@torch.no_grad()
def main() -> None:
    """Prints one row a model."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--n", type=int, default=1024)
    arguments.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    runtime.tune()
    heads = ("forward s", "raster", "half", "ensemble", "naive", "rounds")
    print(f"n = {options.n:<26}", *(f"{head:>9}" for head in heads), " (x forward)")
    for name, make in MODELS.items():
        one, many = disturbed(make(1)), disturbed(make(8))
        x = one.sample(options.n, generator=runtime.keyed("x")).flatten(1)
        u, order = torch.rand(x.shape, generator=runtime.keyed("u")), one.orders[0]
        forward = best(lambda m=one, x=x: m.conditionals(x, m.orders[0], None).log_prob(x), 3)
        raster = best(lambda m=one, x=x, u=u, o=order: m.draw(x, o, 0, u, None))
        half = best(lambda m=one, x=x, u=u, o=order: m.draw(x, o, 392, u, None), 1)
        ensemble = best(lambda m=many: m.sample(options.n, generator=runtime.keyed("x")))
        naive, rounds = naive_ratio(one)
        assert (wrong := mismatches(make)) == 0, f"{name}: {wrong} pixels differ from the naive sampler's"
        ratios = [raster / forward, half / forward, ensemble / forward, naive]
        print(f"{name:30} {forward:9.3f}", *(f"{ratio:9.2f}" for ratio in ratios), f"{rounds:9}", flush=True)


if __name__ == "__main__":
    main()
