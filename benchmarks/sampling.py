"""Exact samples at the price of a likelihood: time of 28 x 28 samples over the time of one forward pass.

    python benchmarks/sampling.py [--n 1024] [--threads 1]

Each row draws binary images from untrained weights, all by the same uniforms, and compares with the naive sampler (one
pass of the whole network a pixel), which every library that was looked at uses: equality is asserted on two images in
float64, its time is that of 784 passes. The raster has one order, the ensemble eight; `half` completes the lower half.
"""

import argparse
import time

import torch

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.explicit.exact.autoregressive import Autoregressive, MaskedAutoregressive, MaskedConvolution

SPACE = Space((1, 28, 28), 2)
MODELS = {
    "masked MLP, 1 x 1024": lambda orders: MaskedAutoregressive(SPACE, orders=orders, width=1024),
    "masked convolution, 6 x 64": lambda orders: MaskedConvolution(SPACE, orders=orders),
}


def best(action, repeats=3):
    """The least CPU time of a few, in seconds: other programs disturb it least."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return min(times)


def disturbed(model: Autoregressive) -> Autoregressive:
    generator = runtime.keyed("weights")
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def mismatches(make) -> int:
    model = disturbed(make(1)).double()
    u = torch.rand(2, 784, generator=runtime.keyed("u"), dtype=torch.float64)
    start, order = torch.zeros(2, 784).long(), model.orders[0]
    return int((model.draw(start, order, 0, u, None) != model.fill(start, order, 0, u, None)).sum())


@torch.no_grad()
def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--n", type=int, default=1024)
    arguments.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    runtime.tune()
    heads = ("forward s", "naive", "raster", "half", "ensemble")
    print(f"n = {options.n:<24}", *(f"{head:>9}" for head in heads), " (x forward)")
    for name, make in MODELS.items():
        one, eight = disturbed(make(1)), disturbed(make(8))
        x = one.sample(options.n, generator=runtime.keyed("x")).flatten(1)
        u, order = torch.rand(x.shape, generator=runtime.keyed("u")), one.orders[0]
        forward = best(lambda m=one, x=x: m.conditionals(x, m.orders[0], None).log_prob(x))
        raster = best(lambda m=one, x=x, u=u, o=order: m.draw(x, o, 0, u, None), 1)
        half = best(lambda m=one, x=x, u=u, o=order: m.draw(x, o, 392, u, None), 1)
        ensemble = best(lambda m=eight: m.sample(options.n, generator=runtime.keyed("x")), 1)
        ratios = [raster / forward, half / forward, ensemble / forward]
        assert (wrong := mismatches(make)) == 0, f"{name}: {wrong} pixels differ from the naive sampler's"
        print(f"{name:28} {forward:9.3f} {784:9}", *(f"{ratio:9.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
