"""How wrong are Mixup's labels? The label law of a mixture against the truth at the mixed point.

Mixup gives the point ``x~ = lam x + (1 - lam) x'`` the label law ``p = lam f(x) + (1 - lam) f(x')``, where f is the
class distribution of an input. The truth there is ``q = f(x~)``. Unless f is linear along the segment the two differ,
and labels drawn from p are noisy. With a teacher in the place of f this can be measured on anybody's data.

Two notions of a noisy label are kept apart, since the theorem holds for one of them only:

- **sampled labels**: U drawn from p and V from q on one probability space. However they are coupled,
  ``P(U != V) >= TV(p, q) >= max_c |p_c - q_c|``.
- **argmax labels**: noisy if ``argmax p != argmax q``. No such bound holds: (0.6, 0.4) and (0.9, 0.1) are 0.3 apart
  and have the same argmax.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Bool, Float, Int, Shaped
from overmix.errors import ConfigError, DataError
from overmix.mix.precision import in_widest

Teacher: TypeAlias = Callable[[Tensor], Tensor]
PairTeacher: TypeAlias = Callable[[Tensor, slice], Tensor]
LabelLaw: TypeAlias = Literal["labels", "teacher"]


def total_variation(p: Float[Tensor, "*batch classes"], q: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch"]:
    """``TV(p, q) = (1/2) sum_c |p_c - q_c|``.

    Example:
        >>> round(total_variation(torch.tensor([0.9, 0.1]), torch.tensor([0.6, 0.4])).item(), 6)
        0.3
    """
    return 0.5 * (p - q).abs().sum(-1)


@dataclass(frozen=True)
class LabelNoise:
    """One entry per mixture, on the CPU, floats in double precision.

    Attributes:
        index: position of the sample that has the weight ``lam``.
        partner: position of the other sample.
        lam: the weight.
        a: class label of the sample.
        b: class label of the partner.
        truth: the teacher's most likely class at the mixed point.
        tv: ``TV(p, q)``, the least possible noise rate of sampled labels.
        bound: ``max_c |p_c - q_c|``, a lower bound of ``tv``.
        independent: ``1 - sum_c p_c q_c``, the noise rate of labels sampled independently.
        argmax_disagrees: whether the Mixup law puts less on ``truth`` than on another class. A tie (two classes at
            lam = 1/2) counts as agreement.
        third_class: whether ``truth`` is neither of the two labels (manifold intrusion).
        num_classes: number of classes C.
    """

    index: Int[np.ndarray, " mixtures"]
    partner: Int[np.ndarray, " mixtures"]
    lam: Float[np.ndarray, " mixtures"]
    a: Int[np.ndarray, " mixtures"]
    b: Int[np.ndarray, " mixtures"]
    truth: Int[np.ndarray, " mixtures"]
    tv: Float[np.ndarray, " mixtures"]
    bound: Float[np.ndarray, " mixtures"]
    independent: Float[np.ndarray, " mixtures"]
    argmax_disagrees: Bool[np.ndarray, " mixtures"]
    third_class: Bool[np.ndarray, " mixtures"]
    num_classes: int

    def __len__(self) -> int:
        return len(self.lam)


def label_noise(
    teacher: Teacher,
    x: Shaped[Tensor, "samples ..."],
    y: Int[Tensor, " samples"],
    partner: Int[Tensor, " mixtures"],
    lam: Float[Tensor, " mixtures"],
    *,
    index: Int[Tensor, " mixtures"] | None = None,
    law: LabelLaw = "labels",
    chunk_size: int = 512,
) -> LabelNoise:
    """Measure Mixup's label noise with a teacher in the place of the truth.

    The result is about the data only as far as the teacher is right: it must not have been trained on these samples
    (see ``cross_fit.py``), and nothing here accounts for its own errors.

    Args:
        teacher: maps inputs (batch, ...) to class probabilities (batch, C).
        x: the samples, floating point or integer pixels. Mixing is done in floating point.
        y: their classes.
        partner: position of each mixture's partner in ``x``.
        lam: weight of the sample itself.
        index: position of the sample itself; by default mixture i belongs to sample i, as in a mixing plan.
        law: what the two ends contribute to the label law: ``"labels"``, the classes that training is given, or
            ``"teacher"``, the teacher's distributions, so that only the curvature of the teacher is measured.
        chunk_size: mixtures per call of the teacher.

    Raises:
        DataError: if the teacher does not return probabilities, the shapes do not fit, a weight is not in [0, 1], a
            position or label is out of range, or ``x`` is not finite.
        ConfigError: if ``law`` or ``chunk_size`` cannot work.

    Example:
        >>> def teacher(x):  # the class is the nearest of -1, 0, 1
        ...     return torch.nn.functional.one_hot(x[:, 0].round().long() + 1, 3).float()
        >>> x, y = torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 2])
        >>> noise = label_noise(teacher, x, y, partner=torch.tensor([1, 0]), lam=torch.tensor([0.6, 0.9]))
        >>> noise.third_class.tolist(), noise.tv.round(6).tolist()
        ([True, False], [1.0, 0.1])

    References:
        Liu, Wang, Guo, Mao, *Over-training with Mixup May Hurt Generalization*, 2023: following Theorem 5.1. That the
        bound is for sampled labels only, and the sharper constant, are ours.
    """
    return measure_mixtures(lambda inputs, _: teacher(inputs), x, y, partner, lam, index, law, chunk_size)


def measure_mixtures(
    predict: PairTeacher,
    x: Tensor,
    y: Tensor,
    partner: Tensor,
    lam: Tensor,
    index: Tensor | None,
    law: LabelLaw,
    chunk_size: int,
) -> LabelNoise:
    """Measure with a teacher that may depend on the mixture: it is given the inputs and the slice of mixtures they are.

    The other arguments are those of :func:`label_noise`.
    """
    if law not in ("labels", "teacher"):
        raise ConfigError("law", law, "use labels or teacher")
    if chunk_size < 1:
        raise ConfigError("chunk_size", chunk_size, "use at least 1")
    if index is None:
        if len(partner) != len(x):
            raise DataError(f"{len(partner)} partners for {len(x)} samples: give index too")
        index = torch.arange(len(x), device=partner.device)
    if not 0 < len(index) == len(partner) == len(lam):
        raise DataError(f"{len(index)} samples, {len(partner)} partners, {len(lam)} weights: give one of each per mix")
    _check_mixtures(x, y, partner, lam, index)
    chunks = []
    with torch.no_grad():
        for start in range(0, len(partner), chunk_size):
            rows = slice(start, start + chunk_size)
            chunks.append(_measure_chunk(predict, x, y, index[rows], partner[rows], lam[rows], law, rows))
    columns = {name: torch.cat([chunk[name] for chunk in chunks]).numpy() for name in chunks[0] if name != "classes"}
    return LabelNoise(**columns, num_classes=int(chunks[0]["classes"]))


def _check_mixtures(x: Tensor, y: Tensor, partner: Tensor, lam: Tensor, index: Tensor) -> None:
    if len(y) != len(x):
        raise DataError(f"{len(y)} labels for {len(x)} samples: give one label each")
    for name, at in (("partner", partner), ("index", index)):
        outside = (at < 0) | (at >= len(x))
        if bool(outside.any()):
            raise DataError(f"{name} has {int(at[outside][0])}: use positions from 0 to {len(x) - 1}")
    if bool((y < 0).any()):
        raise DataError(f"label {int(y.min())} is negative: use classes from 0 on")
    if not bool(((lam >= 0) & (lam <= 1)).all()):
        raise DataError(f"lam has {lam[~((lam >= 0) & (lam <= 1))][0].item()}: use weights from 0 to 1")
    if not bool(torch.isfinite(x).all()):
        raise DataError("x holds values that are not finite: remove or repair those samples")


def _measure_chunk(
    predict: PairTeacher,
    x: Tensor,
    y: Tensor,
    index: Tensor,
    partner: Tensor,
    lam: Tensor,
    law: LabelLaw,
    rows: slice,
) -> dict[str, Tensor]:
    dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()
    index, partner = index.to(x.device), partner.to(x.device)
    first, second = x[index].to(dtype), x[partner].to(dtype)
    weight = lam.to(x.device, dtype).reshape(-1, *[1] * (x.ndim - 1))
    truth = _checked(predict(weight * first + (1 - weight) * second, rows))
    a, b = y.to(truth.device)[index.to(truth.device)], y.to(truth.device)[partner.to(truth.device)]
    if int(torch.maximum(a, b).max()) >= truth.shape[1]:
        raise DataError(f"label {int(torch.maximum(a, b).max())} but the teacher knows {truth.shape[1]} classes")
    if law == "teacher":
        end, other_end = _checked(predict(first, rows)), _checked(predict(second, rows))
    else:
        end, other_end = (torch.nn.functional.one_hot(label, truth.shape[1]).to(truth) for label in (a, b))
    share = lam.to(truth)[:, None]
    mixed = share * end + (1 - share) * other_end
    best = truth.argmax(1)
    columns = {
        "index": index,
        "partner": partner,
        "lam": share[:, 0],
        "a": a,
        "b": b,
        "truth": best,
        "tv": total_variation(mixed, truth),
        "bound": (mixed - truth).abs().amax(1),
        "independent": 1 - (mixed * truth).sum(1),
        # The margin is rounding: 1 - lam need not equal lam to the last bit where it should.
        "argmax_disagrees": mixed.gather(1, best[:, None])[:, 0] < mixed.amax(1) - 1e-12,
        "third_class": (best != a) & (best != b),
    }
    return {name: column.cpu() for name, column in columns.items()} | {"classes": torch.tensor(truth.shape[1])}


def _checked(probs: Tensor) -> Tensor:
    """Return the teacher's probabilities in the widest precision of their device, with rows that sum to one."""
    if probs.ndim != 2 or probs.shape[1] < 2:
        raise DataError(f"the teacher returned shape {tuple(probs.shape)}: return (batch, classes) probabilities")
    probs = in_widest(probs)
    total = probs.sum(1, keepdim=True)
    if not bool(torch.isfinite(probs).all()):
        raise DataError("the teacher returned values that are not finite: check its weights and the scale of x")
    # Softmax in half precision is off by up to a percent; logits fail by far more.
    if not bool(((probs >= 0).all(1) & ((total[:, 0] - 1).abs() < 1e-2)).all()):
        raise DataError("the teacher returned rows that are not probabilities: apply softmax to its logits")
    return probs / total
