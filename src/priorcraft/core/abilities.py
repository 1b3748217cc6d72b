"""What else a model can do: move between x and z, name classes, be fitted."""

from abc import ABC, abstractmethod

from torch import Generator, Tensor


class LatentVariable(ABC):
    """p(x) = integral of p(x | z) p(z) dz: z can be drawn, moved, and decoded."""

    @abstractmethod
    def prior(self, n: int, *, given: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """n draws of z from p(z), (n, latent)."""

    @abstractmethod
    def decode(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """The mean of p(x | z) in the data's own units, (B, *event_shape)."""

    def standardised(self, z: Tensor, given: Tensor | None = None) -> Tensor:
        """z in units of p(z | c), a draw of which becomes N(0, I); z itself where that has no closed form, (B, latent).

        In these units a hierarchy's lower layers follow when an upper one is moved.
        """
        return z

    def unstandardised(self, u: Tensor, given: Tensor | None = None) -> Tensor:
        """The z that `standardised` makes into u, (B, latent)."""
        return u


class Encoder(LatentVariable):
    """A latent-variable model that also knows q(z | x) or p(z | x)."""

    @abstractmethod
    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """The mean of q(z | x), (B, latent)."""


class Classifier(ABC):
    """p(c | x). A discriminative classifier is not `Generative`: that absence is the lesson."""

    @abstractmethod
    def log_posterior(self, x: Tensor) -> Tensor:
        """log p(c | x), nats, (B, K)."""


class ClosedForm(ABC):
    """A model whose parameters have a closed-form update from all rows at once (counting, or one round of EM)."""

    @abstractmethod
    def update(self, x: Tensor, given: Tensor | None) -> Tensor:
        """One update; returns the mean log-likelihood of the rows before it, nats."""


class LearnsFromHoles(ClosedForm):
    """A model whose closed-form update sums over what is missing, and so learns from rows with holes exactly."""

    @abstractmethod
    def update(self, x: Tensor, given: Tensor | None, seen: Tensor | None = None) -> Tensor:
        """One update from the entries that are there, bool (N, *event_shape), all if None; as `ClosedForm.update`."""


class Trainable(ABC):
    """A density whose training loss is more than -log p or -elbo: random orders, warm-up, free bits."""

    def before_step(self, x: Tensor, given: Tensor | None, *, generator: Generator) -> None:
        """Moves what follows no gradient, once a step, from all rows of it; `loss_terms` may see them in parts."""
        return

    @abstractmethod
    def loss_terms(
        self, x: Tensor, given: Tensor | None, *, progress: float, generator: Generator
    ) -> dict[str, Tensor]:
        """ "loss" to descend, nats, and whatever else is worth recording; scalars."""
