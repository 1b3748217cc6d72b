"""A small convolutional network that names the class of a grey image, and the features by which it does: a judge.

It is trained once for a data set, in about a minute, and kept in a folder; it never sees a sample.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from priorcraft import runtime
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.run import Run

EPOCHS, BATCH, RATE, CHUNK = 5, 100, 3e-3, 1000


class Judge(nn.Module):
    """Two convolutions and two linear layers.

    Args:
        splits: grey images of 28 x 28 pixels with labels.
        cache: file of its weights; trained and written if it is not there.
    """

    def __init__(self, splits: Splits, cache: Path) -> None:
        super().__init__()
        self.levels = splits.space.levels or 2
        with runtime.borrowed_global_generator("judge"):
            convolutions = [nn.Conv2d(1, 24, 3, padding=1), nn.Conv2d(24, 48, 3, padding=1)]
            self.first, self.second = convolutions
            self.vector, self.logits = nn.Linear(48 * 49, 128), nn.Linear(128, len(splits.classes))
            if cache.exists():
                self.load_state_dict(load_file(cache))
            else:
                self.to(memory_format=torch.channels_last)
                self._learn(splits.train)
                cache.parent.mkdir(parents=True, exist_ok=True)
                save_file({k: v.contiguous() for k, v in self.state_dict().items()}, cache)
        self.eval()
        self.accuracy = float((self.classes(splits.test.x) == splits.test.y).float().mean())

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, 128) of images (B, 1, 28, 28) of integers."""
        h = x.float() / (self.levels - 1) - 0.2
        for convolution in (self.first, self.second):
            h = F.max_pool2d(F.relu(convolution(h)), 2)
        return F.relu(self.vector(F.dropout(h.flatten(1), 0.25, self.training)))

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """(B, 1, 28, 28) to (B, 128), in chunks."""
        return torch.cat([self(part) for part in x.split(CHUNK)])

    @torch.no_grad()
    def classes(self, x: Tensor) -> Tensor:
        """(B, 1, 28, 28) to the class seen in each, (B,)."""
        return self.logits(self.features(x)).argmax(1)

    def _learn(self, rows: Rows) -> None:
        """Adam with a rate that falls to zero."""
        assert rows.y is not None, "a judge needs labels"
        steps = EPOCHS * (len(rows) // BATCH)
        optimiser = torch.optim.Adam(self.parameters(), RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
        for step in range(steps):
            index = torch.randint(len(rows), (BATCH,), generator=runtime.keyed("judge", step))
            loss = F.cross_entropy(self.logits(self(rows.x[index])), rows.y[index].long())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def samples(run: Run, n: int) -> tuple[Tensor, Tensor | None]:
    """n samples, and the classes they were asked to be of; all classes alike often where the model has classes."""
    given = torch.arange(n) % run.model.classes if run.model.classes else None
    parts = []
    for i in torch.arange(n).split(CHUNK):
        draws = runtime.keyed("judged", run.name, int(i[0]))
        with torch.no_grad():
            parts.append(run.model.sample(len(i), given=None if given is None else given[i], generator=draws))
    return torch.cat(parts), given
