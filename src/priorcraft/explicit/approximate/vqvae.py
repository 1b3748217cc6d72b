"""The vector-quantised autoencoder: z is a row of code words, and its prior any exact model."""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Approximate, Encoder, Exact, Likelihood, Space, Trainable
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.classes import completed
from priorcraft.explicit.approximate.networks import Sizes, context_width, embed_context, head_of
from priorcraft.explicit.exact.masked_mlp import MaskedAutoregressive
from priorcraft.settings import Depth, Dropout, Range, Width

COMMITMENT = 0.25  # weight of the pull of the encoder towards its code words (van den Oord et al. 2017)
FORGOTTEN = 0.1  # a word used less than this share of the fair share is moved to where it is needed


class VQVAE(Approximate, Encoder, Trainable):
    """An autoencoder through a code book, with an exact model of the codes.

    log p(x) = log sum_z p(z) p(x | z) >= log p(z(x)) + log p(x | z(x))   (van den Oord et al. 2017, arXiv:1711.00937)

    where z(x) are the numbers of the words nearest to the encoder's vectors: one term of the sum. q(z | x) is certain,
    so the bound is the same for every k.

    Args:
        space: where x lives.
        context: where c lives; encoder, decoder and prior see it.
        prior: p(z | c), any exact model over `VQVAE.codes_space(positions, words)` with the same context; None makes a
            masked perceptron.
        positions: length of z.
        words: size of the code book.
        word: length of a code word.
        hidden, depth, width, mixture, dropout: as in `VAE`.
        prior_width: units of that perceptron.

    Raises:
        UsageError: a prior over another space or another context, or a size below 1.

    >>> model = VQVAE(Space((1, 8, 8), 17), positions=4, words=8)
    >>> model.encode(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 4])
    """

    usage: Tensor

    def __init__(
        self,
        space: Space,
        context: Space | None = None,
        *,
        prior: Exact | None = None,
        positions: Width = 16,
        words: Annotated[int, Range(2, 4096)] = 32,
        word: Width = 8,
        hidden: Width = 256,
        depth: Depth = 1,
        width: Width = 32,
        mixture: Annotated[int, Range(1, 100)] = 5,
        dropout: Dropout = 0.0,
        prior_width: Width = 256,
    ) -> None:
        super().__init__(space, context)
        if prior is None:
            prior = MaskedAutoregressive(self.codes_space(positions, words), context, width=prior_width)
        if prior.space != self.codes_space(positions, words) or prior.context != context:
            raise UsageError(
                f"prior must be a model of {self.codes_space(positions, words)} given {context}, "
                f"not of {prior.space} given {prior.context}; build it with VQVAE.codes_space."
            )
        self.p_z, self.positions, self.word = prior, positions, word
        self.book = nn.Parameter(torch.randn(words, word))
        self.register_buffer("usage", torch.ones(words))
        self.head, sizes, flat = head_of(space, mixture), Sizes(hidden, depth, width, dropout), positions * word
        self.encoder = sizes.encoder(space, context_width(context), flat)
        self.decoder = sizes.decoder(space, flat + context_width(context), self.head.width)

    @staticmethod
    def codes_space(positions: int, words: int) -> Space:
        """Where z lives: the space that the prior must model."""
        return Space((positions,), words)

    def initialise(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Sets p(c), here and in the prior, and the code book to vectors of the encoder."""
        super().initialise(x, given, generator=generator)
        known = x if given is None or not self.classes else x[given != UNLABELLED]
        contexts = None if given is None else given[given != UNLABELLED] if self.classes else given
        if len(known):
            vectors = self._vectors(self.space.check(known[:1000]), None if contexts is None else contexts[:1000])
            self._revive(vectors.flatten(0, 1), torch.ones_like(self.usage, dtype=torch.bool), generator)
            codes = self._nearest(vectors)
            self.p_z.initialise(codes, None if contexts is None else contexts[:1000], generator=generator)

    def _vectors(self, x: Tensor, given: Tensor | None) -> Tensor:
        """What the encoder says, (B, positions, word), of length about 1 an entry."""
        u = self.space.to_network(x, self.book.dtype)
        out = self.encoder(u, embed_context(self.context, given, u)).unflatten(1, (self.positions, self.word))
        return F.layer_norm(out, (self.word,))

    def _nearest(self, vectors: Tensor) -> Tensor:
        """The numbers of the nearest words, (B, positions)."""
        return torch.cdist(vectors.flatten(0, 1), self.book).argmin(1).view(vectors.shape[:2])

    @torch.no_grad()
    def _revive(self, vectors: Tensor, dead: Tensor, generator: Generator) -> None:
        """Moves the words that are not used to vectors drawn from the encoder's."""
        flat = runtime.uniform((int(dead.sum()),), generator=generator, like=vectors).mul(len(vectors)).long()
        self.book[dead] = vectors[flat]
        self.usage[dead] = 1.0

    def likelihood(self, words: Tensor, given: Tensor | None = None) -> Likelihood:
        """p(x | z, c) for the words that z names, (B, positions, word)."""
        return self.head(self.decoder(torch.cat([words.flatten(1), embed_context(self.context, given, words)], 1)))

    def _log_likelihood(self, words: Tensor, x: Tensor, given: Tensor | None) -> Tensor:
        return self.likelihood(words, given).log_prob(x).flatten(1).sum(1)

    def _log_weights(self, x: Tensor, given: Tensor | None, k: int, generator: Generator) -> Tensor:
        z = self._nearest(self._vectors(x, given))
        return (self.p_z.log_prob(z, given) + self._log_likelihood(self.book[z], x, given)).expand(k, -1)

    def loss_terms(
        self, x: Tensor, given: Tensor | None, *, progress: float, generator: Generator
    ) -> dict[str, Tensor]:
        """The loss of one step and its parts, nats, means over the batch.

        loss = -log p(x | z) + |sg[e] - word|^2 + 0.25 |e - sg[word]|^2 - log p(z)

        with straight-through gradients from the words to the encoder's vectors e. A class of -1 is drawn from q(c | x).
        """
        x, given = self.space.check(x), completed(self, x, given, generator)
        e = self._vectors(x, given)
        z = self._nearest(e)
        words = F.embedding(z, self.book)
        pull = (e.detach() - words).square().sum((1, 2)) + COMMITMENT * (e - words.detach()).square().sum((1, 2))
        reconstruction = -self._log_likelihood(e + (words - e).detach(), x, given).mean()
        if isinstance(self.p_z, Trainable):
            codes = self.p_z.loss_terms(z, given, progress=progress, generator=generator)["loss"]
        else:
            codes = -self.p_z.log_prob(z, given).mean()
        perplexity = torch.special.entr(self.usage / self.usage.sum()).sum().exp()
        return {
            "loss": reconstruction + pull.mean() + codes,
            "reconstruction": reconstruction.detach(),
            "kl": codes.detach(),
            "perplexity": perplexity,
        }

    @torch.no_grad()
    def before_step(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Keeps a moving average of how often each word is used, 1 for a fair share, and revives the forgotten."""
        x, given = self.space.check(x), completed(self, x, given, generator)
        vectors = self._vectors(x, given)
        z = self._nearest(vectors)
        share = torch.bincount(z.flatten(), minlength=len(self.book)) * (len(self.book) / z.numel())
        self.usage.lerp_(share.to(self.usage), 0.02)
        dead = self.usage < FORGOTTEN
        if bool(dead.any()):
            self._revive(vectors.flatten(0, 1), dead, generator)

    def prior(self, n: int, *, given: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """n draws of z from p(z | c), numbers of words, (n, positions)."""
        return self.p_z.sample(n, given=given, generator=generator)

    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """The numbers of the words nearest to the encoder's vectors, int64, (B, positions)."""
        return self._nearest(self._vectors(self.space.check(x), self._check_context(given, len(x))))

    def decode(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """The mean of p(x | z, c) in the data's own units, (B, *event_shape)."""
        return self.likelihood(self.book[z], self._check_context(given, len(z))).mean()

    def _sample(self, n: int, given: Tensor | None, generator: Generator) -> Tensor:
        z = self.prior(n, given=given, generator=generator)
        return self.likelihood(self.book[z], given).sample(generator)
