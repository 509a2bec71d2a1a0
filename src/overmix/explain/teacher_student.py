"""The teacher-student toy, with the controls that a U-shaped curve needs.

A tanh teacher f labels Gaussian inputs; the student has random tanh features and trains its last layer. There is no
noise but the one that Mixup makes: its labels ``lam f(x) + (1 - lam) f(x')`` are not ``f(lam x + (1 - lam) x')``.

A risk that falls and rises again does not prove label noise. Mixed inputs also follow another law than real ones, and
a student that cannot represent the teacher can be led astray by that alone. Hence the controls: the same mixed inputs
with their *true* labels, fresh real samples, and a *realizable* teacher, whose units are among the student's features.

The experiment follows the toy of Liu, Wang, Guo, Mao, *Over-training with Mixup May Hurt Generalization* (ICLR 2023).
Its settings are not public in full: scales, widths, number of mixtures and the controls are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from overmix._typing import Float
from overmix.errors import ConfigError, did_you_mean
from overmix.explain.least_squares import LeastSquares, least_squares
from overmix.explain.random_features import Rule, risk, trajectory
from overmix.explain.switch_dynamics import switch_curve

Condition: TypeAlias = Literal["erm", "mixup", "mixup_true_labels", "fresh"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)


@dataclass(frozen=True)
class Toy:
    """Setting of the toy; weights have variance ``1 / fan_in``.

    Attributes:
        inputs: dimension of the Gaussian inputs.
        features: random features d of the student.
        teacher_width: hidden units of the teacher.
        samples: original samples n.
        mixtures: synthetic samples m, pairs drawn with replacement; None for all ``n^2`` ordered pairs, once each.
        lam: a fixed weight; None for ``lam ~ Beta(alpha, alpha)``.
        alpha: parameter of the Beta law.
        teacher_scale: factor on all weights of the teacher: with larger ones it bends more.
        realizable: whether the units of the teacher are the first features of the student.
        test_samples: real samples that the risk is read on.

    Raises:
        ConfigError: if a setting cannot work.
    """

    inputs: int = 10
    features: int = 100
    teacher_width: int = 5
    samples: int = 20
    mixtures: int | None = 500
    lam: float | None = None
    alpha: float = 1.0
    teacher_scale: float = 1.0
    realizable: bool = False
    test_samples: int = 2000

    def __post_init__(self) -> None:
        for name in ("inputs", "features", "teacher_width", "samples", "mixtures"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(name, value, "use at least 1")
        if self.test_samples < 2:
            raise ConfigError(
                "test_samples", self.test_samples, "use at least 2: the risk is relative to their variance"
            )
        if self.lam is not None and not 0 <= self.lam <= 1:
            raise ConfigError("lam", self.lam, "use a weight from 0 to 1")
        if not (self.alpha > 0 and np.isfinite(self.alpha)):
            raise ConfigError("alpha", self.alpha, "use a finite number > 0, or a fixed lam")
        if not (self.teacher_scale > 0 and np.isfinite(self.teacher_scale)):
            raise ConfigError("teacher_scale", self.teacher_scale, "use a finite number > 0")
        if self.realizable and self.teacher_width > self.features:
            raise ConfigError("teacher_width", self.teacher_width, f"use at most the {self.features} features")


@dataclass(frozen=True)
class ToyWorld:
    """One draw of teacher, student, samples and mixtures; everything a condition needs, in feature space.

    Attributes:
        problems: what each condition trains on.
        start: initial last layer of the student, the same for all conditions.
        test_features: features of the test samples.
        test_targets: the teacher's labels of the test samples.
    """

    problems: dict[Condition, LeastSquares]
    start: Float[np.ndarray, " features"]
    test_features: Float[np.ndarray, "samples features"]
    test_targets: Float[np.ndarray, " samples"]


@dataclass(frozen=True)
class ToyCurves:
    """Test risk over training, relative to the variance of the test labels.

    Attributes:
        times: in steps.
        risk: for each condition, one row per seed.
    """

    times: Float[np.ndarray, " times"]
    risk: dict[Condition, Float[np.ndarray, "seeds times"]]


def draw_world(toy: Toy, seed: int, conditions: Sequence[Condition] = CONDITIONS) -> ToyWorld:
    """Draw teacher, student and data of one seed.

    Each of these has its own random stream, so that changing one setting leaves the other draws alone.

    Args:
        toy: the setting.
        seed: seed >= 0.
        conditions: ``"erm"``, the original samples; ``"mixup"``; ``"mixup_true_labels"``, the same mixed inputs with
            the teacher's labels; ``"fresh"``, as many real samples as there are mixtures.

    Raises:
        ConfigError: if a condition or the seed is not known.
    """
    if seed < 0:
        raise ConfigError("seed", seed, "use a seed >= 0")
    for condition in conditions:
        if condition not in CONDITIONS:
            raise ConfigError("conditions", condition, did_you_mean(condition, CONDITIONS))
    teacher, student, originals, mixing, fresh, test, init = (
        np.random.Generator(np.random.Philox(key=(seed, stream))) for stream in range(7)
    )
    first = teacher.normal(size=(toy.inputs, toy.teacher_width)) * toy.teacher_scale / np.sqrt(toy.inputs)
    second = teacher.normal(size=toy.teacher_width) * toy.teacher_scale / np.sqrt(toy.teacher_width)
    hidden = student.normal(size=(toy.inputs, toy.features)) / np.sqrt(toy.inputs)
    if toy.realizable:
        hidden[:, : toy.teacher_width] = first

    def label(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(x @ first) @ second)

    def problem(x: np.ndarray, labels: np.ndarray, noise: np.ndarray | None = None) -> LeastSquares:
        return least_squares(np.tanh(x @ hidden), labels, noise=noise)

    x = originals.normal(size=(toy.samples, toy.inputs))
    i, j, lam = _mixtures(toy, mixing)
    mixed = lam[:, None] * x[i] + (1 - lam)[:, None] * x[j]
    mixed_labels = lam * label(x)[i] + (1 - lam) * label(x)[j]
    real = fresh.normal(size=(len(lam), toy.inputs))
    build: dict[Condition, Callable[[], LeastSquares]] = {
        "erm": lambda: problem(x, label(x)),
        "mixup": lambda: problem(mixed, mixed_labels, mixed_labels - label(mixed)),
        "mixup_true_labels": lambda: problem(mixed, label(mixed)),
        "fresh": lambda: problem(real, label(real)),
    }
    problems = {condition: build[condition]() for condition in conditions}
    tested = test.normal(size=(toy.test_samples, toy.inputs))
    start = init.normal(size=toy.features) / np.sqrt(toy.features)
    return ToyWorld(problems, start, np.tanh(tested @ hidden), label(tested))


def toy_curves(
    toy: Toy,
    times: Float[np.ndarray, " times"],
    *,
    seeds: Sequence[int] | range = range(10),
    eta: float = 0.1,
    conditions: Sequence[Condition] = CONDITIONS,
    rule: Rule = "descent",
) -> ToyCurves:
    """Train the student under each condition, exactly, and return its test risk at the given times.

    Args:
        toy: the setting.
        times: in steps.
        seeds: one run each; the conditions of a seed share teacher, student, samples and start.
        eta: learning rate.
        conditions: see :func:`draw_world`.
        rule: ``"descent"`` or ``"flow"``.

    Raises:
        ConfigError: if a setting cannot work.

    Example:
        >>> curves = toy_curves(Toy(), np.array([0.0, 1e3, 1e6]), seeds=range(2), conditions=["mixup"])
        >>> curves.risk["mixup"].shape
        (2, 3)
    """
    rows: dict[Condition, list[np.ndarray]] = {condition: [] for condition in conditions}
    for seed in seeds:
        world = draw_world(toy, seed, conditions)
        for condition, problem in world.problems.items():
            weights = trajectory(problem, times, eta=eta, start=world.start, rule=rule)
            scale = np.var(world.test_targets)
            rows[condition].append(risk(weights, world.test_features, world.test_targets) / scale)
    return ToyCurves(times, {condition: np.array(curves) for condition, curves in rows.items()})


def toy_switch_curves(
    toy: Toy,
    switches: Float[np.ndarray, " switches"],
    *,
    total: float,
    seeds: Sequence[int] | range = range(10),
    eta: float = 0.1,
    rule: Rule = "descent",
) -> Float[np.ndarray, "seeds switches"]:
    """Return the final test risk of Mixup that is switched to ERM, relative to the variance of the test labels.

    Args:
        toy: the setting.
        switches: switch times from 0 to ``total``.
        total: length of the training, in steps.
        seeds: one run each.
        eta: learning rate.
        rule: ``"descent"`` or ``"flow"``.

    Raises:
        ConfigError: if a setting cannot work.
    """
    rows = []
    for seed in seeds:
        world = draw_world(toy, seed, ("erm", "mixup"))
        curve = switch_curve(
            world.problems["mixup"],
            world.problems["erm"],
            switches,
            world.test_features,
            world.test_targets,
            total=total,
            eta=eta,
            start=world.start,
            rule=rule,
        )
        rows.append(curve.final / np.var(world.test_targets))
    return np.array(rows)


def _mixtures(toy: Toy, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both positions and the weight of each mixture."""
    if toy.mixtures is None:
        i, j = (side.ravel() for side in np.indices((toy.samples, toy.samples)))
    else:
        i, j = rng.integers(toy.samples, size=(2, toy.mixtures))
    lam = rng.beta(toy.alpha, toy.alpha, size=len(i)) if toy.lam is None else np.full(len(i), toy.lam)
    return i, j, lam
