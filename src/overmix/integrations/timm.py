"""timm: ``Mixup`` with the arguments and the return values of ``timm.data.Mixup``, which can follow a run."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from overmix.errors import ConfigError
from overmix.integrations.following import Follower
from overmix.mix import Per, Recipe
from overmix.real_numbers import is_real
from overmix.recipes import CutMix, NoMixup, OneOf
from overmix.recipes import Mixup as MixupRecipe
from overmix.switch.settings import whole_number

__all__ = ["Mixup"]

Mode = Literal["batch", "pair", "elem"]
_PER: dict[str, Per] = {"batch": "batch", "pair": "sample", "elem": "sample"}


class Mixup(Follower):
    """Mixup, CutMix or one of both, with rows ``(1 - s) (lam onehot(y_i) + (1 - lam) onehot(y_j)) + s / C``.

    In a script that says ``from timm.data import Mixup``, one import changes. What differs: batches may be odd, inputs
    are not overwritten, and partners are drawn, where timm mixes a batch with its reverse. timm itself is not needed.

    ``follow`` lets a run decide when it goes off. It mixes after the loader, where a decision arrives at once; what
    mixes inside of a loader's workers (timm's ``FastCollateMixup``, which the prefetcher uses) cannot follow anybody:
    leave it out, and call this after the prefetcher, on the device.

        mixup_fn = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, num_classes=1000)
        run = overmix.Epochs(300, mix=mixup_fn.recipe, switch=overmix.AutoSwitch(), state={...})
        for epoch in mixup_fn.follow(run):
            ...

    Args:
        mixup_alpha: concentration of Mixup's Beta law; 0: no Mixup.
        cutmix_alpha: concentration of CutMix's Beta law; 0: no CutMix.
        cutmix_minmax: None; boxes between two sizes are not offered.
        prob: probability that a batch is mixed.
        switch_prob: probability of CutMix where both are active.
        mode: ``"batch"``: one lam for a batch; ``"elem"``: one for each sample, with one method and ``prob=1``;
            ``"pair"`` is the same, since partners are drawn: no two samples are each other's.
        correct_lam: True; lam is always the share of the image that was kept.
        label_smoothing: s in [0, 1).
        num_classes: C.
        multi_label: whether labels are rows of shape (B, C) of 0 and 1; they are smoothed towards 1/2.

    Raises:
        ConfigError: if a setting cannot work, or is not offered.

    Example:
        >>> import torch
        >>> images, labels = torch.rand(6, 3, 8, 8), torch.tensor([0, 1, 2, 3, 0, 1])
        >>> images, rows = Mixup(label_smoothing=0.1, num_classes=4)(images, labels)
        >>> rows.shape, bool((rows.sum(dim=1) - 1).abs().max() < 1e-6)
        (torch.Size([6, 4]), True)

    Source: the arguments are those of timm 1.0 (R. Wightman, PyTorch Image Models).
    """

    def __init__(
        self,
        mixup_alpha: float = 1.0,
        cutmix_alpha: float = 0.0,
        cutmix_minmax: None = None,
        prob: float = 1.0,
        switch_prob: float = 0.5,
        mode: Mode = "batch",
        correct_lam: bool = True,
        label_smoothing: float = 0.1,
        num_classes: int = 1000,
        multi_label: bool = False,
    ) -> None:
        if cutmix_minmax is not None:
            raise ConfigError("cutmix_minmax", cutmix_minmax, "leave it out: the box's area follows cutmix_alpha")
        if not correct_lam:
            raise ConfigError("correct_lam", correct_lam, "leave it out: labels are weighted by what is in the image")
        if mode not in _PER:
            raise ConfigError("mode", mode, f"use one of {', '.join(_PER)}")
        for name, alpha in (("mixup_alpha", mixup_alpha), ("cutmix_alpha", cutmix_alpha)):
            if not is_real(alpha) or not alpha >= 0:
                raise ConfigError(name, alpha, "use a number >= 0; 0 leaves it out")
        for name, value in (("prob", prob), ("switch_prob", switch_prob)):
            if not is_real(value) or not 0 <= value <= 1:
                raise ConfigError(name, value, "use a probability in [0, 1]")
        if not is_real(label_smoothing) or not 0 <= label_smoothing < 1:
            raise ConfigError("label_smoothing", label_smoothing, "use a share in [0, 1)")
        num_classes = whole_number("num_classes", num_classes)
        super().__init__(_recipe(mixup_alpha, cutmix_alpha, prob, switch_prob, mode))
        self.label_smoothing, self.num_classes, self.multi_label = float(label_smoothing), num_classes, multi_label
        self.mixup_enabled = True
        """Set to False, as timm's scripts do at their off-epoch, it hands batches through with rows of their own."""

    def __call__(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mixed images, shape (B, C, H, W), and rows of probabilities, shape (B, num_classes).

        Args:
            x: images, of any floating dtype or bytes; not overwritten.
            target: classes, shape (B,), or with ``multi_label`` rows of shape (B, num_classes).
        """
        if self.multi_label and (target.dim() != 2 or target.shape[1] != self.num_classes):
            raise ConfigError("target.shape", tuple(target.shape), f"give rows of {self.num_classes} labels")
        labels = target.to(x.dtype if x.is_floating_point() else None) if self.multi_label else target
        mixed, sides = self.mixed(x, labels) if self.mixup_enabled else self.recipe.unmixed(x, labels)
        rows = sides.soft() if self.multi_label else sides.soft(self.num_classes)
        towards = 0.5 if self.multi_label else 1 / self.num_classes
        return mixed, rows * (1 - self.label_smoothing) + self.label_smoothing * towards


def _recipe(mixup_alpha: float, cutmix_alpha: float, prob: float, switch_prob: float, mode: str) -> Recipe:
    per = _PER[mode]
    candidates: list[tuple[Recipe, float]] = []
    if mixup_alpha > 0:
        candidates.append((MixupRecipe(alpha=mixup_alpha, per=per), 1 - switch_prob if cutmix_alpha > 0 else 1.0))
    if cutmix_alpha > 0:
        candidates.append((CutMix(alpha=cutmix_alpha, per=per), switch_prob if mixup_alpha > 0 else 1.0))
    if not candidates:
        raise ConfigError("mixup_alpha", mixup_alpha, "use mixup_alpha > 0, cutmix_alpha > 0, or both")
    if prob < 1:
        candidates = [(recipe, prob * share) for recipe, share in candidates] + [(NoMixup(), 1 - prob)]
    if len(candidates) == 1:
        return candidates[0][0]
    if mode != "batch":
        raise ConfigError("mode", mode, 'use "batch": Mixup or CutMix, and whether at all, is drawn for each batch')
    return OneOf(*(recipe for recipe, _ in candidates), probs=[share for _, share in candidates])
