"""The game: its objectives, its two players' steps, its networks, and the detectors of what goes wrong."""

from dataclasses import replace

import pytest
import torch
from sklearn.svm import SVC
from torch import Tensor, nn

from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.errors import DataError, Diverged, NoDensity, UsageError
from priorcraft.implicit import detectors
from priorcraft.implicit import objectives as rules
from priorcraft.implicit.augment import CHANGES, Augmentation, augment
from priorcraft.implicit.gan import GAN
from priorcraft.implicit.networks import Critic, Octaves, Prior
from priorcraft.train.game import Game
from priorcraft.train.objective import Batch

LINE, DIGITS, LABELS = Space((1,)), Space((1, 8, 8), 17), Space((), 10)


def gan(space: Space, context: Space | None = None, seed: int = 0, **settings) -> GAN:
    with runtime.borrowed_global_generator(seed):
        return GAN(space, context, **settings)


def batch(x: Tensor, y: Tensor | None = None) -> Batch:
    return Batch(x, y, torch.arange(len(x)))


def play(game: Game, x: Tensor, y: Tensor | None, steps: range, last: int) -> list[dict[str, float]]:
    """Records of the steps, on rows drawn by step."""
    records = []
    for step in steps:
        rows = torch.randint(len(x), (game.batch_size or len(x),), generator=runtime.keyed("rows", step))
        labels = None if y is None else y[rows]
        records.append(game.step(Batch(x[rows], labels, rows), progress=step / last, key=(0, step)))
    return records


def tensors(module: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


# objectives


@pytest.mark.parametrize("loss", rules.LOSSES, ids=lambda loss: loss.name)
def test_each_player_wins_by_moving_the_logits_its_way(loss):
    real, fake = torch.tensor([0.3, -0.2]), torch.tensor([-0.1, 0.2])
    assert loss.critic(real + 0.1, fake - 0.1) < loss.critic(real, fake)
    assert loss.generator(real, fake + 0.1) < loss.generator(real, fake)
    games = torch.stack([real, fake]), torch.stack([fake, real])
    assert torch.allclose(loss.critic(*games)[0], loss.critic(real, fake))


def test_relativistic_losses_see_differences_alone():
    real, fake = torch.randn(2, 50, generator=runtime.keyed(0))
    for player in (rules.RELATIVISTIC.critic, rules.RELATIVISTIC.generator):
        assert torch.allclose(player(real + 7, fake + 7), player(real, fake), atol=1e-5)


def test_squared_gradient_against_finite_differences():
    model, h = gan(Space((3,)), hidden=8, layers=2).double(), 1e-5
    u = torch.randn(5, 3, generator=runtime.keyed(0), dtype=torch.float64, requires_grad=True)
    by_hand = sum(
        ((model.critic(u + h * e, None) - model.critic(u - h * e, None)) / (2 * h)).square()
        for e in torch.eye(3, dtype=torch.float64)
    )
    assert torch.allclose(rules.squared_gradient(model.critic(u, None), u), by_hand, rtol=1e-6)  # pyright: ignore[reportArgumentType]


def test_the_penalty_moves_the_critic_as_finite_differences_say():
    weight = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    u = torch.randn(6, 2, generator=runtime.keyed(0), dtype=torch.float64, requires_grad=True)
    penalty = lambda w: rules.squared_gradient(torch.tanh(u @ w), u).mean()  # noqa: E731
    assert torch.autograd.gradcheck(penalty, (weight,))


def test_the_one_centred_penalty_is_zero_for_a_critic_of_slope_one():
    real, fake = torch.randn(2, 8, 2, generator=runtime.keyed(0))
    u = rules.between(real, fake, torch.rand(8, generator=runtime.keyed(1)))
    assert rules.one_centred(u @ torch.tensor([0.6, 0.8]), u) < 1e-10
    assert rules.one_centred(u @ torch.tensor([1.2, 1.6]), u).item() == pytest.approx(1, rel=1e-5)


# the two players


@pytest.mark.parametrize("mover", ["generator", "critic"])
def test_a_step_of_one_player_moves_only_that_player(mover):
    model, x = gan(DIGITS, LABELS, hidden=16), torch.randint(17, (32, 1, 8, 8), generator=runtime.keyed(0))
    game = Game(model)
    game.critic.lr, game.generator.lr = (0.0, 1e-3) if mover == "generator" else (1e-3, 0.0)
    before = {name: tensors(part) for name, part in model.named_children()}
    game.step(batch(x, torch.arange(32) % 10), progress=0.5, key=(0, 0))
    for name, part in model.named_children():
        assert same(before[name], tensors(part)) == (name != mover)


class Shift(nn.Module):
    """z -> z + 1: a generator whose distribution is known."""

    def __init__(self) -> None:
        super().__init__()
        self.by, self.prior = nn.Parameter(torch.ones(1)), Prior(1, components=0)

    def forward(self, z: Tensor, given: Tensor | None) -> Tensor:
        return z + self.by


@pytest.mark.parametrize(
    "loss", [rules.NON_SATURATING, pytest.param(rules.RELATIVISTIC, marks=pytest.mark.slow)], ids=lambda loss: loss.name
)
def test_the_critic_of_two_known_gaussians_approaches_the_log_density_ratio(loss):
    model = gan(LINE, latent=1, hidden=16, layers=2)
    model.generator = Shift()  # pyright: ignore[reportAttributeAccessIssue]
    game = Game(model, gamma=0.0, batch_size=512)
    game.recipe = replace(game.recipe, loss=loss)
    game.generator.lr = 0.0
    play(game, torch.randn(50_000, 1, generator=runtime.keyed(0)), None, range(400), 400)
    at = torch.linspace(-1, 2, 31).unsqueeze(1)
    error = model.critic(at, None).detach() - (0.5 - at.squeeze(1))  # log N(x; 0, 1) - log N(x; 1, 1)
    if loss is rules.RELATIVISTIC:
        error = error - error.mean()  # known up to a constant
    assert error.abs().max() < 0.2


def test_rows_without_a_label_teach_through_the_row_for_unknown_labels():
    model, x = gan(DIGITS, LABELS, hidden=16), torch.randint(17, (32, 1, 8, 8), generator=runtime.keyed(0))
    Game(model).step(batch(x, torch.full((32,), -1)), progress=0.5, key=(0, 0))
    moved = model.critic.projection.detach().abs().sum(1) > 0  # pyright: ignore
    assert moved.tolist() == [False] * 10 + [True]


def test_infinite_losses_stop_the_game_before_anything_moves():
    model = gan(LINE, hidden=8)
    before = tensors(model)
    with pytest.raises(Diverged, match="training rows 0, 1"):
        Game(model).step(batch(torch.full((4, 1), 1e30)), progress=0.5, key=(0, 0))
    assert same(before, tensors(model))


@pytest.mark.parametrize("name", [loss.name for loss in rules.LOSSES])
def test_every_loss_is_played_by_name_with_the_critic_steps_of_its_recipe(name):
    model = gan(LINE, latent=1, hidden=8, layers=1)
    game = Game(model, loss=name, batch_size=16)
    play(game, torch.randn(500, 1, generator=runtime.keyed(0)), None, range(2), 2)
    steps = {count.item() for count in game.critic.counts.values()}
    assert steps == {10 if name == "wasserstein" else 2}


def test_wasserstein_holds_the_critic_near_slope_one():
    model = gan(LINE, latent=1, hidden=16, layers=2)
    model.generator = Shift()  # pyright: ignore[reportAttributeAccessIssue]
    game = Game(model, loss="wasserstein", lr=3e-3, batch_size=64)
    game.recipe, game.generator.lr = replace(game.recipe, lipschitz=10.0), 0.0
    play(game, 4 + torch.randn(5000, 1, generator=runtime.keyed(0)), None, range(40), 40)
    u = torch.linspace(1, 4, 50).unsqueeze(1).requires_grad_()
    assert rules.squared_gradient(model.critic(u, None), u).sqrt().mean().item() == pytest.approx(1, abs=0.2)


def test_a_loss_that_does_not_exist_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="no loss 'wassertein': did you mean 'wasserstein'"):
        Game(gan(LINE, hidden=8), loss="wassertein")


# bits


def test_a_resumed_game_ends_at_the_same_bits():
    x = torch.randint(17, (64, 1, 8, 8), generator=runtime.keyed(0))
    y = torch.arange(64) % 11 - 1

    def begin(seed: int) -> Game:
        model = gan(DIGITS, LABELS, seed, hidden=16)
        model.initialise(x, y, generator=runtime.keyed(0))
        game = Game(model, batch_size=32)
        game.prepare(batch(x, y))
        game.augmentation.p = 0.4  # it will have moved by the end
        return game

    whole, resumed = begin(0), begin(1)
    play(whole, x, y, range(30), 60)
    assert whole.augmentation.p != 0.4
    kept = {name: value.clone() for name, value in whole.state().items()}
    resumed.averaged.load_state_dict({k: v.clone() for k, v in whole.averaged.state_dict().items()})
    resumed.restore(kept)
    assert play(whole, x, y, range(30, 60), 60) == play(resumed, x, y, range(30, 60), 60)
    assert same(tensors(whole.averaged), tensors(resumed.averaged))
    assert same(list(whole.state().values()), list(resumed.state().values()))


# augmentation of few images


PICTURES = torch.rand(200, 3, 9, 7, generator=runtime.keyed("pictures")) * 2 - 1


def test_without_probability_images_stay_as_they_are():
    assert augment(PICTURES, 0.0, generator=runtime.keyed(0)) is PICTURES
    changed = (augment(PICTURES, 0.3, generator=runtime.keyed(0)) != PICTURES).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(1 - 0.7**3, abs=0.1)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_change_lets_the_gradient_through_to_the_pixels_that_it_kept(change):
    u = PICTURES[:4].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: change(v, runtime.keyed(0)), (u,))
    (slope,) = torch.autograd.grad(change(u, runtime.keyed(0)).sum(), u)
    assert 0.3 < (slope > 0).double().mean() <= 1


def test_a_shift_keeps_the_picture_and_a_hole_keeps_what_is_outside():
    moved = CHANGES[0](PICTURES[:, :, 2:-2, 2:-2].clone(), runtime.keyed(0))
    near = [PICTURES[:, :, y : y + 5, x : x + 3] for y in (1, 2, 3) for x in (1, 2, 3)]
    middle = torch.stack([(moved[:, :, 1:-1, 1] == other[:, :, 1:-1, 1]).all(2).all(1) for other in near])
    assert middle.any(0).all()
    assert middle.any(1).sum() == 9  # by a pixel each way, or not at all
    holed = CHANGES[1](PICTURES, runtime.keyed(0))
    assert ((holed == PICTURES) | (holed == 0)).all()
    assert 0.1 < (holed == 0).float().mean() < 0.25


def highest_probability(digits, n: int) -> float:
    """The probability after a game on n digits whose critic is quick to learn by heart, held out the others'."""
    rows = digits.train
    model = gan(digits.space, digits.context, hidden=64)
    model.initialise(rows.x[:n], rows.y[:n], generator=runtime.keyed(0))
    game = Game(model, batch_size=40)
    game.recipe = replace(game.recipe, gamma=0.0 if n < 100 else 0.2)  # without a penalty it overfits soon
    game.prepare(batch(digits.valid.x, digits.valid.y))
    return max(record["augment"] for record in play(game, rows.x[:n], rows.y[:n], range(250), 250)[125:])


@pytest.mark.slow
def test_augmentation_rises_with_a_critic_that_overfits_and_stays_low_otherwise(digits):
    assert highest_probability(digits, 40) > 0.15
    assert highest_probability(digits, 1000) <= 0.08


def test_the_probability_follows_the_signal_between_its_ends():
    found = Augmentation("auto")
    for _ in range(30):
        found.look(train=2.0, held_out=0.5, fake=0.0)
    assert found.p == 0.8
    for _ in range(30):
        found.look(train=2.0, held_out=1.5, fake=0.0)
    assert found.p == 0.0
    fixed = Augmentation("0.3")
    fixed.look(train=2.0, held_out=0.5, fake=0.0)
    assert fixed.p == 0.3
    for mode, answer in (("allways", "did you mean 'always'"), ("1.5", "between 0 and 1"), ("nan", "between 0 and 1")):
        with pytest.raises(UsageError, match=answer):
            Augmentation(mode)


def test_augmentation_is_for_single_images():
    with pytest.raises(UsageError, match="augment=always needs images"):
        Game(gan(LINE, hidden=8), augment="always")
    assert not Game(gan(LINE, hidden=8)).augmentation.active


def test_the_critic_sees_real_and_fake_changed_alike(monkeypatch):
    model, seen = gan(DIGITS, LABELS, hidden=16), []
    monkeypatch.setattr(Augmentation, "__call__", lambda self, u, *key: seen.append(key[-1]) or u)
    x = torch.randint(17, (32, 1, 8, 8), generator=runtime.keyed(0))
    Game(model, augment="always").step(batch(x, torch.arange(32) % 10), progress=0.5, key=(0, 0))
    assert seen == ["real", "fake"] * 2


def test_held_out_rows_are_seen_by_the_critic_that_saw_the_real_ones():
    model, x = gan(DIGITS, LABELS, hidden=16), torch.randint(17, (32, 1, 8, 8), generator=runtime.keyed(0))
    game, rows = Game(model, lr=0.1), batch(x, torch.arange(32) % 10)  # a step moves the critic's level a lot
    game.prepare(rows)
    records = [game.step(rows, progress=0.5, key=(0, step)) for step in range(25)]
    assert [record for record in records if "critic_valid" in record] == records[-1:]
    assert records[-1]["critic_valid"] == pytest.approx(records[-1]["critic_real"], rel=1e-4)


# the model


def test_convolutions_are_fast_and_logits_full(monkeypatch):
    monkeypatch.setattr(runtime, "multiplies_in_bfloat16", lambda device: True)  # on any hardware
    model = gan(Space((1, 16, 16), 17), hidden=4, layers=1)
    game, u = Game(model), torch.rand(32, 1, 16, 16, generator=runtime.keyed(0)) * 2 - 1
    logits, full = game._judge(u, None), model.critic(u, None)
    assert logits.dtype == torch.float32
    assert 0 < (logits - full).abs().max() < 0.05 * full.std()
    assert torch.equal(logits.bfloat16().float(), logits) is False  # 3 digits would hide what tells fakes apart


def test_points_that_lie_apart_look_apart_to_the_critic():
    u = torch.arange(-7.0, 8.0).unsqueeze(1)
    sines = Octaves()(u)[:, 1:]
    assert torch.pdist(sines).min() > 0.5


def test_samples_are_the_rounded_means_and_no_density_exists():
    model = gan(DIGITS, LABELS, hidden=16)
    x = model.sample(9, given=torch.tensor(3), generator=runtime.keyed(0))
    mean = model.decode(model.prior(9, generator=runtime.keyed(0)), torch.full((9,), 3))
    assert torch.equal(x, mean.round().long())
    with pytest.raises(NoDensity, match="samples alone"):
        model.log_prob(x)
    with pytest.raises(UsageError, match="given is needed"):
        model.decode(model.prior(9))


def test_real_numbers_come_back_in_their_own_units():
    x = torch.tensor([100.0, -3.0, 5.0]) + torch.tensor([20.0, 0.1, 0.0]) * torch.randn(
        500, 3, generator=runtime.keyed(0)
    )
    model = gan(Space((3,)), hidden=16)
    model.initialise(x, None, generator=runtime.keyed(0))
    assert model.to_network(x)[:, :2].std(0).tolist() == pytest.approx([1, 1], rel=1e-4)
    u = model.generator(model.prior(50, generator=runtime.keyed(1)), None)
    assert torch.allclose(model.sample(50, generator=runtime.keyed(1)), u * model.scale + model.location)
    assert model.scale[2] == 1  # a column without variance is left as it is


def test_data_without_variance_are_refused():
    with pytest.raises(DataError, match="no variance: all 20 rows are the same"):
        gan(DIGITS).initialise(torch.full((20, 1, 8, 8), 4), None, generator=runtime.keyed(0))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 13, 30)])
def test_images_of_any_size_are_grown_and_read_at_a_sane_scale(shape):
    model = gan(Space(shape, 256), LABELS, hidden=4, layers=1)
    y = torch.arange(20) % 10
    u = model.generator(model.prior(20, generator=runtime.keyed(0)), y)
    assert u.shape == (20, *shape)
    assert 0.1 < u.std() < 1
    assert 0.1 < model.critic(u, y).std() < 10
    record = Game(model).step(batch(model.sample(20, given=y), y), progress=0.5, key=(0, 0))
    assert record["gradient_norm_g"] > 0


def test_a_generator_of_large_images_that_went_all_black_can_come_back():
    model = gan(Space((1, 16, 16), 17), hidden=4, layers=1)
    z = model.prior(4, generator=runtime.keyed(0))
    for name, parameter in model.generator.named_parameters():
        if name.endswith("image.bias"):
            parameter.data.fill_(-50.0)
    assert not model.decode(z).any()
    u = model.generator(z, None)
    (slope,) = torch.autograd.grad(u.sum(), model.generator.body[0].image.bias)  # pyright: ignore
    assert slope.abs() > 1


# watching


def healthy(digits, **settings) -> list[dict[str, float]]:
    """A short game on the digits."""
    model = gan(digits.space, digits.context, hidden=64)
    model.initialise(digits.train.x, digits.train.y, generator=runtime.keyed(0))
    game = Game(model, batch_size=64, **settings)
    game.prepare(batch(digits.valid.x, digits.valid.y))
    return play(game, digits.train.x, digits.train.y, range(225), 225)


def test_a_healthy_game_raises_no_warning(digits):
    assert detectors.judge(healthy(digits)) == {}


@pytest.mark.slow
def test_a_hundredfold_learning_rate_is_detected(digits):
    assert "mode collapse" in detectors.judge(healthy(digits, lr=0.2))


@pytest.mark.slow
def test_a_frozen_critic_is_detected(digits, monkeypatch):
    step = Game.teach_critic

    def frozen(game: Game, *arguments) -> dict[str, float]:
        game.critic.lr = 0.0
        return step(game, *arguments)

    monkeypatch.setattr(Game, "teach_critic", frozen)
    assert "fooled critic" in detectors.judge(healthy(digits))


@pytest.mark.parametrize("frozen", ["critic", "generator"])
def test_a_frozen_player_is_watched_and_learns_nothing(frozen):
    model = gan(Space((2,)))
    game, x = Game(model, batch_size=8), torch.rand(8, 2, generator=runtime.keyed(0))
    players = {"critic": model.critic, "generator": model.generator}
    before = {name: [p.clone() for p in player.parameters()] for name, player in players.items()}
    record = game.step(batch(x), progress=0.5, key=(0, 0), frozen=frozen)
    same = {name: all(map(torch.equal, before[name], player.parameters())) for name, player in players.items()}
    assert same == {name: name == frozen for name in players}
    assert {"critic_loss", "critic_real", "critic_fake", "r2"} <= record.keys()


STEADY = {"critic_loss": 0.6, "critic_real": 0.5, "critic_fake": 0.3, "r2": 0.2, "diversity": 0.9, "critic_valid": 0.45}
SWINGING = [STEADY | {"critic_real": 0.3 + (2 if i // 50 % 2 else -2)} for i in range(200)]


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("mode collapse", [STEADY | {"diversity": 0.3}] * 200),
        ("critic overfitting", [STEADY | {"critic_real": 4.0, "critic_valid": 1.0}] * 200),
        ("vanishing signal", [STEADY | {"critic_loss": 0.001}] * 200),
        ("vanishing signal", [STEADY | {"r2": 1e-6}] * 200),
        ("fooled critic", [STEADY | {"critic_fake": 2.0}] * 200),
        ("fooled critic", [STEADY | {"critic_real": 4.0, "critic_valid": 1.0, "critic_fake": 9.0}] * 200),
        ("oscillation", SWINGING),
    ],
)
def test_each_detector_fires_on_its_fault_alone(name, records):
    said = detectors.judge(records)
    assert set(said) == {name}
    assert "warns" in said[name]
    assert detectors.judge([STEADY] * 200) == {}
    assert detectors.judge(records[:100]) == {}


def test_diversity_falls_with_the_share_of_modes_that_are_covered():
    def draw(seed: int, modes: int) -> Tensor:
        noise, mode = torch.randn(2, 1024, 1, generator=runtime.keyed(seed))
        return noise + 10 * torch.floor(modes * torch.special.ndtr(mode))

    real = draw(0, modes=32)
    assert 0.9 < detectors.diversity(draw(1, modes=32), real) < 1.1
    assert 0.2 < detectors.diversity(draw(1, modes=8), real) < 0.45  # the warning is at 0.5


# the outcome


@pytest.mark.slow
def test_conditional_digits_are_what_they_should_be(digits):
    model = gan(digits.space, digits.context, hidden=128)
    model.initialise(digits.train.x, digits.train.y, generator=runtime.keyed(0))
    game = Game(model, batch_size=64)
    play(game, digits.train.x, digits.train.y, range(300), 300)
    judge = SVC(C=10).fit(digits.train.x.flatten(1), digits.train.y)
    y = torch.arange(10).repeat(50)
    x = game.averaged.sample(500, given=y, generator=runtime.keyed(0))
    assert (judge.predict(x.flatten(1)) == y.numpy()).mean() >= 0.9
    assert detectors.diversity(x, digits.train.x[:500]) > 0.6


@pytest.mark.slow
def test_a_ring_of_narrow_modes_is_covered_with_the_settings_for_real_numbers():
    angle = torch.arange(6) * torch.pi / 3
    centres = torch.stack([angle.cos(), angle.sin()], 1)
    mode = torch.randint(6, (4000,), generator=runtime.keyed("mode"))
    x = centres[mode] + 0.05 * torch.randn(4000, 2, generator=runtime.keyed("noise"))
    model = gan(Space((2,)))
    model.initialise(x, None, generator=runtime.keyed(0))
    game = Game(model)
    play(game, x, None, range(400), 400)
    distance, nearest = torch.cdist(game.averaged.sample(1000, generator=runtime.keyed(0)), centres).min(1)
    assert nearest.bincount(minlength=6).min() > 80
    assert (distance < 0.15).float().mean() > 0.7  # 400 steps; uniform samples: 0.1


def test_gradients_have_the_same_bits_on_several_threads():
    critic, prior = Critic(Space((64,), 17), 10, hidden=128, layers=1), Prior(16, components=8)
    u, given = torch.randn(512, 64, generator=runtime.keyed("u")), torch.arange(512) % 10

    def gradients():
        loss = critic(u, given).square().sum() + prior(4096, runtime.keyed("z")).square().sum()
        return torch.autograd.grad(loss, [critic.projection, prior.centres])  # pyright: ignore

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        first = gradients()
        assert all(torch.equal(a, b) for _ in range(20) for a, b in zip(first, gradients(), strict=True))
    finally:
        torch.set_num_threads(threads)
