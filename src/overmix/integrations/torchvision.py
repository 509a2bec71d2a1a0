"""torchvision: ``MixUp`` and ``CutMix`` with the call signature of ``torchvision.transforms.v2``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from overmix.errors import ConfigError, DataError, MissingExtraError
from overmix.integrations.following import Follower
from overmix.mix import Recipe
from overmix.recipes import CutMix as CutMixRecipe
from overmix.recipes import Mixup as MixupRecipe
from overmix.switch.settings import whole_number

try:
    from torchvision import tv_tensors
except ImportError:
    raise MissingExtraError("torchvision", "vision") from None

__all__ = ["CutMix", "MixUp"]

LabelsGetter = Callable[[Any], Tensor]


class _Transform(nn.Module, Follower):
    """Finds images and labels in a batch, and mixes them."""

    def __init__(
        self,
        recipe: Recipe,
        num_classes: int | None,
        labels_getter: LabelsGetter | str,
        generator: torch.Generator | None,
    ) -> None:
        nn.Module.__init__(self)
        Follower.__init__(self, recipe, generator)
        if labels_getter != "default" and not callable(labels_getter):
            raise ConfigError("labels_getter", labels_getter, 'use "default", or a function of the batch')
        self.num_classes = None if num_classes is None else whole_number("num_classes", num_classes)
        self._labels_getter = labels_getter

    def forward(self, *inputs: Any) -> Any:
        """Mix a batch.

        Args:
            *inputs: ``images, labels``, or one structure that holds them: images of shape (B, C, H, W), videos of shape
                (B, T, C, H, W), labels of shape (B,) or, as probabilities, (B, C).

        Returns:
            The same structure: images mixed, labels as probabilities of shape (B, C), all else as it was.

        Raises:
            DataError: if there are no labels or no images, or they do not fit.
        """
        batch = inputs if len(inputs) > 1 else inputs[0]
        labels = self._labels(batch)
        leaves, structure = tree_flatten(batch)
        at = _place_of(labels, leaves)
        images = _images(leaves, labels)
        mixed, target = self.mixed(tuple(leaves[i].as_subclass(Tensor) for i in images), labels)
        for i, image in zip(images, mixed, strict=True):
            leaf = leaves[i]
            leaves[i] = tv_tensors.wrap(image, like=leaf) if isinstance(leaf, tv_tensors.TVTensor) else image
        leaves[at] = target.soft(self.num_classes) if labels.dim() == 1 else target.soft()
        return tree_unflatten(leaves, structure)

    def _labels(self, batch: Any) -> Tensor:
        labels: Any
        if callable(self._labels_getter):
            labels = self._labels_getter(batch)
        else:
            # The second part of a pair; of a dictionary, what is called so.
            labels = batch.get("labels") if isinstance(batch, dict) else (batch[1] if len(batch) > 1 else None)
        if not isinstance(labels, Tensor) or labels.dim() not in (1, 2):
            shape = tuple(labels.shape) if isinstance(labels, Tensor) else type(labels).__name__
            raise DataError(f"labels: found {shape}: give a tensor of shape (B,) or (B, C), or a labels_getter")
        if labels.dim() == 1 and self.num_classes is None:
            raise ConfigError("num_classes", None, "give the number of classes, since the labels are indices")
        if labels.dim() == 2 and self.num_classes not in (None, labels.shape[1]):
            raise DataError(f"labels: {labels.shape[1]} columns, but num_classes is {self.num_classes}: leave it out")
        return labels

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"{self.recipe!r}, num_classes={self.num_classes}"


class MixUp(_Transform):
    """``x' = lam x_i + (1 - lam) x_j``, ``y'`` likewise, called as ``torchvision.transforms.v2.MixUp`` is.

    What differs: partners are drawn, where torchvision mixes neighbours of the batch; bytes are mixed too, into floats;
    a ``generator`` or ``torch.manual_seed`` repeats it; and it can follow a run that switches it off:

        mixup = MixUp(num_classes=10)
        run = overmix.Epochs(300, mix=mixup.recipe, switch=overmix.AutoSwitch(), state={...})
        for epoch in mixup.follow(run):
            for images, labels in loader:
                images, labels = mixup(images, labels)

    In a collate function it mixes in the loader's workers, where no run can be followed: then leave ``follow`` out.

    Args:
        alpha: concentration of the Beta law that lam is drawn from, >= 0.
        num_classes: number of classes C; may be left out where labels are probabilities already.
        labels_getter: a function that takes the batch and returns its labels, a tensor that it holds; by default they
            are its second part, or ``batch["labels"]`` of a dictionary.
        generator: the PyTorch generator that randomness comes from; by default PyTorch's own.

    Raises:
        ConfigError: if a setting cannot work.

    Example:
        >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])
        >>> images, labels = MixUp(num_classes=3)(images, labels)
        >>> images.shape, labels.sum(dim=1).tolist()
        (torch.Size([4, 3, 8, 8]), [1.0, 1.0, 1.0, 1.0])
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        num_classes: int | None = None,
        labels_getter: LabelsGetter | str = "default",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(MixupRecipe(alpha=alpha), num_classes, labels_getter, generator)


class CutMix(_Transform):
    """A box of ``x_j`` in the place of that of ``x_i``, ``y'`` by area, as ``torchvision.transforms.v2.CutMix``.

    Args:
        alpha: concentration of the Beta law that the box's area is drawn from, > 0.
        num_classes: number of classes C; may be left out where labels are probabilities already.
        labels_getter: as for :class:`MixUp`.
        generator: the PyTorch generator that randomness comes from; by default PyTorch's own.

    Raises:
        ConfigError: if a setting cannot work.

    Example:
        >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])
        >>> images, labels = CutMix(num_classes=3)(images, labels)
        >>> images.shape, labels.shape
        (torch.Size([4, 3, 8, 8]), torch.Size([4, 3]))
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        num_classes: int | None = None,
        labels_getter: LabelsGetter | str = "default",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(CutMixRecipe(alpha=alpha), num_classes, labels_getter, generator)


def _place_of(labels: Tensor, leaves: list[Any]) -> int:
    """Return where the labels are, and where their rows go."""
    for i, leaf in enumerate(leaves):
        if leaf is labels:
            return i
    raise DataError(
        "labels: labels_getter returned a new tensor: return one that the batch holds, whose place the mixed rows "
        "take, and convert labels before they are batched"
    )


def _images(leaves: list[Any], labels: Tensor) -> list[int]:
    """Return where the images are: all that are marked as images or videos, else the first plain tensor."""
    refused = (tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints)
    for leaf in leaves:
        if isinstance(leaf, refused):
            raise DataError(f"batch: it holds {type(leaf).__name__}: boxes, masks and keypoints are not mixed")
    marked = [i for i, leaf in enumerate(leaves) if isinstance(leaf, tv_tensors.Image | tv_tensors.Video)]
    plain = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf is not labels]
    images = marked or plain[:1]
    if not images:
        raise DataError("batch: it holds no tensor of images: mix batches, after they were collated")
    for i in images:
        dims = 5 if isinstance(leaves[i], tv_tensors.Video) else 4
        if leaves[i].dim() != dims:
            raise DataError(f"images: shape {tuple(leaves[i].shape)} has {leaves[i].dim()} dimensions, not {dims}")
    return images
