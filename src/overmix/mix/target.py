"""The target of a mixed batch: both sides kept whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix._typing import Float, Shaped
from overmix.errors import ConfigError, DataError
from overmix.mix.accuracy import accuracy_terms
from overmix.mix.criterion import LOSSES_OF_CLASSES, counts_read_from, mixed_criterion
from overmix.mix.cross_entropy import (
    IGNORE_INDEX,
    Reduction,
    Terms,
    check_cross_entropy,
    check_logits,
    check_reduction,
    check_weight,
    class_terms,
    mixed_cross_entropy,
    quotient,
    row_terms,
    unmixed_cross_entropy,
)
from overmix.mix.label_entropy import EntropyLoss, class_entropy, label_entropy, multi_label_entropy, soft_row_entropy
from overmix.mix.label_rows import (
    are_rows_of,
    check_class_indices,
    check_one_class_each,
    holds,
    mixed_rows,
    refuse_classes_beyond,
    refuse_index_of_rows,
    soft_labels,
)
from overmix.mix.precision import in_loss_precision
from overmix.mix.torch_losses import loss_of_target

if TYPE_CHECKING:
    from typing_extensions import Self

    from overmix.mix.objective import Objective

__all__ = ["IGNORE_INDEX", "MixedTarget", "Reduction", "label_entropy", "mixed_criterion", "mixed_cross_entropy"]


@dataclass(frozen=True)
class MixedTarget:
    """The pair ``(a, b)`` with weight ``lam`` on ``a``.

    Mixing labels is left to the loss, so that nothing is lost: class indices stay indices, soft labels, multi-label
    rows, regression values stay what they are.

    Labels of the logits' shape but for its second dimension are class indices, labels of the logits' own shape are
    rows, of any dtype: soft ones, one-hot, multi-label. Every mean is PyTorch's, with the sides of a mixture in the
    place of a label. Over class indices, at samples i and positions p,

        mean = sum_ip s_i (lam_i w[a_ip] l(a_ip) + (1 - lam_i) w[b_ip] l(b_ip))
               / sum_ip s_i (lam_i w[a_ip] + (1 - lam_i) w[b_ip]),

    with s the weight of a sample, w that of a class, 0 for an ignored label; over rows and values it is
    ``sum_ip s_i l_ip / sum_ip s_i`` with the weights of classes, if any, inside of l.

    ``torch.nn.CrossEntropyLoss`` and the binary cross-entropies of PyTorch take a target in the place of labels. Slices
    are targets: ``target[:4]`` for the logits of the first four samples.

    Args:
        a: labels of the samples themselves, shape (B, ...).
        b: labels of their partners, same shape.
        lam: weight of ``a``, shape (B,).

    Example:
        >>> target = MixedTarget(torch.tensor([0]), torch.tensor([1]), torch.tensor([0.75]))
        >>> target.soft(num_classes=3)
        tensor([[0.7500, 0.2500, 0.0000]])
        >>> logits = torch.zeros(1, 3)
        >>> torch.nn.CrossEntropyLoss()(logits, target) == target.cross_entropy(logits)
        tensor(True)
    """

    a: Shaped[Tensor, "batch *label"]
    b: Shaped[Tensor, "batch *label"]
    lam: Float[Tensor, " batch"]

    def __len__(self) -> int:
        return self.lam.shape[0]

    def __getitem__(self, samples: slice | Tensor) -> Self:
        """Return the target of some of the samples, given by a slice or a tensor of indices."""
        if not isinstance(samples, slice | Tensor) or (isinstance(samples, Tensor) and samples.dim() == 0):
            raise TypeError(
                f"a MixedTarget has samples at slices and tensors of indices, not at {samples!r}: use [i:j]"
            )
        if type(self) is not MixedTarget:
            raise TypeError(f"a {type(self).__name__} is one whole: split the batch before it is mixed")
        return self._with(lambda tensor: tensor[samples])

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Serve PyTorch's losses; see :func:`overmix.mix.torch_losses.loss_of_target`."""
        if cls is not MixedTarget and func is not F.cross_entropy:
            name = getattr(func, "__name__", str(func))
            raise TypeError(f"{name} takes no {cls.__name__} (a MixedTarget): use target.loss(criterion, output)")
        return loss_of_target(func, args, kwargs or {})

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Return the target on another device, for batches that were mixed in a DataLoader worker."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """Return the target in page-locked memory; a DataLoader with ``pin_memory=True`` calls this."""
        return self._with(Tensor.pin_memory)

    def _with(self, function: Callable[[Tensor], Tensor]) -> Self:
        one = self.a is self.b
        tensors = {k: v for k, v in vars(self).items() if isinstance(v, Tensor) and not (one and k == "b")}
        changed = {k: function(v) for k, v in tensors.items()}
        return replace(self, **changed | ({"b": changed["a"]} if one else {}))

    @property
    def is_unmixed(self) -> bool:
        """Whether both sides are one tensor and lam, where looking does not wait, is 1: as mixing hands through."""
        return type(self) is MixedTarget and self.a is self.b and holds(self.lam == 1) is not False

    def cross_entropy(
        self,
        logits: Float[Tensor, "batch classes *position"],
        weight: Float[Tensor, " classes"] | None = None,
        ignore_index: int = IGNORE_INDEX,
        *,
        label_smoothing: float = 0.0,
        sample_weight: Tensor | MixedTarget | None = None,
        reduction: Reduction = "mean",
    ) -> Float[Tensor, "..."]:
        """Mean over samples of ``lam * CE(logits, a) + (1 - lam) * CE(logits, b)``.

        With weights or ignored labels it is the weighted mean that the class describes. For class indices no dense
        target is built. For rows it is PyTorch's cross-entropy of their mixture, whose mean is over samples even with
        weights of classes. Of a batch that was handed through, mixing being off, it is PyTorch's own, to the bit,
        unless samples have weights.

        Args:
            logits: shape (B, C), or (B, C, ...) with labels of shape (B, ...).
            weight: class weights, shape (C,).
            ignore_index: a side with this class index does not count; with every label ignored, or weights that sum
                to exactly 0, the loss is 0.
            label_smoothing: share of each label that is spread over all classes, in [0, 1], as in PyTorch.
            sample_weight: how much each sample counts, shape (B,). Weights that belong to the samples before they were
                mixed are a target themselves, as ``recipe(x, {"class": y, "weight": w})`` returns it: then each side
                counts with its own.
            reduction: ``"mean"``, ``"sum"``, or ``"none"`` for the losses themselves, shape (B, ...), with the weights
                of samples in them.

        Returns:
            A scalar in the logits' dtype, in float32 under autocast, as PyTorch's own.

        Raises:
            DataError: if the labels are neither class indices of shape (B, ...) nor rows of shape (B, C, ...), or, on
                the CPU, one of them is no class; if the logits are no floats of shape (B, C, ...).
            ConfigError: if an argument cannot work.
        """
        check_logits(logits)
        check_cross_entropy(weight, label_smoothing, logits.shape[1])
        check_reduction(reduction)
        lam, total = self._weights(sample_weight)
        logits = in_loss_precision(logits)
        rows = are_rows_of(self.a, logits)
        if rows:
            refuse_index_of_rows(ignore_index)
            check_one_class_each(self.a, self.b)
        else:
            check_class_indices(self.a, logits)
        classes: dict[str, Any] = {"weight": weight, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
        try:
            if total is None and self.is_unmixed:
                return unmixed_cross_entropy(logits, self.a, **classes, reduction=reduction)
            if rows:
                terms = row_terms(
                    logits, mixed_rows(self.a, self.b, lam), weight=weight, label_smoothing=label_smoothing
                )
            else:
                terms = class_terms(logits, self.a, self.b, lam, **classes)
        except (IndexError, RuntimeError):
            if not rows:
                refuse_classes_beyond(logits.shape[1], ignore_index, self.a, self.b)
            raise
        return _reduced(terms.times(total), reduction).to(logits.dtype)

    def _weights(self, sample_weight: Tensor | MixedTarget | None) -> tuple[Tensor, Tensor | None]:
        """Return the weight of ``a`` and that of each sample, shape (B,) each; None: all count alike."""
        if sample_weight is None:
            return self.lam, None
        sides = (sample_weight.a, sample_weight.b) if isinstance(sample_weight, MixedTarget) else (sample_weight,) * 2
        for side in sides:
            if not isinstance(side, Tensor) or side.shape != self.lam.shape:
                kind = tuple(side.shape) if isinstance(side, Tensor) else side
                raise ConfigError("sample_weight", kind, f"give one for each sample, shape ({len(self)},)")
        if sides[0] is sides[1]:
            return self.lam, sides[0]
        # lam w_a l(a) + (1 - lam) w_b l(b) is one weight times a mixture with another lam.
        of_a, of_b = self.lam * sides[0], (1 - self.lam) * sides[1]
        return quotient(of_a, of_a + of_b, of_nothing=self.lam), of_a + of_b

    def loss(
        self,
        criterion: Callable[[Tensor, Tensor], Tensor],
        output: Tensor,
        *,
        weight: Float[Tensor, " classes"] | None = None,
        ignore_index: int | None = None,
        sample_weight: Tensor | MixedTarget | None = None,
    ) -> Float[Tensor, ""]:
        """Mean over samples of ``lam * criterion(output, a) + (1 - lam) * criterion(output, b)``.

        Rows of integers or booleans are given to the criterion in the output's dtype.

        Args:
            criterion: a function of (output, label) that returns one value per sample, shape (B, ...), such as
                ``torch.nn.BCEWithLogitsLoss(reduction="none")``.
            output: what the model returned.
            weight: the class weights that the criterion multiplied its values by, shape (C,): the mean divides by
                them. They are read from ``torch.nn.CrossEntropyLoss`` and ``NLLLoss``; a function cannot say them.
            ignore_index: the class index whose values do not count; read likewise.
            sample_weight: see :meth:`cross_entropy`.

        Returns:
            A scalar: the mean over samples, after the mean over what else the criterion returns per sample; with
            weights of classes or ignored labels the weighted mean over all labels that the class describes.

        Raises:
            ConfigError: if the criterion reduces. The mean of the losses times the mean of lam is not the mean of their
                products, and the mistake is silent.
            DataError: if output and labels have shapes (B, 1) and (B,), which elementwise criteria broadcast to all
                pairs, (B, B); if integer rows for ``torch.nn.CrossEntropyLoss`` mark no class or several.

        Example:
            >>> target = MixedTarget(torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor([0.25]))
            >>> target.loss(torch.nn.MSELoss(reduction="none"), torch.tensor([1.0]))
            tensor(0.2500)
        """
        a, b = self.a, self.b
        if isinstance(output, Tensor):
            output = in_loss_precision(output)
            if a.shape == output.shape and not a.is_floating_point():
                if isinstance(criterion, nn.CrossEntropyLoss) and are_rows_of(a, output):
                    check_one_class_each(a, b)
                a, b = a.to(output.dtype), b.to(output.dtype)
        if not a.is_floating_point() and weight is None and ignore_index is None:
            weight, ignore_index = counts_read_from(criterion)
        # Where a function of one's own has its classes, nobody knows.
        of_classes = isinstance(criterion, LOSSES_OF_CLASSES) and isinstance(output, Tensor) and output.dim() > 1
        check_weight(weight, output.shape[1] if of_classes else None)
        lam, total = self._weights(sample_weight)
        mean = mixed_criterion(
            *(criterion, output, a, b, lam), sample_weight=total, weight=weight, ignore_index=ignore_index
        )
        return mean.to(output.dtype) if isinstance(output, Tensor) and output.is_floating_point() else mean

    def under(self, objective: Objective, output: Tensor) -> Float[Tensor, ""]:
        """Return the batch's mean of ``objective.losses(output, a, b, lam)``; targets of another form say their own.

        Example:
            >>> from overmix.mix import SquaredError
            >>> target = MixedTarget(torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor([0.25]))
            >>> target.under(SquaredError(), torch.tensor([0.5]))
            tensor(0.0625)
        """
        return objective.losses(in_loss_precision(output), self.a, self.b, self.lam).mean(-1)

    def soft(self, num_classes: int | None = None) -> Float[Tensor, "batch *row"]:
        """``lam * a + (1 - lam) * b`` as a dense target, with class indices turned into one-hot rows first.

        Integers and booleans of shape (B, C) are multi-label rows, C being ``num_classes``; those of another shape are
        class indices.

        Args:
            num_classes: C, needed for class indices. Without it, integers and booleans are rows, of shape (B, C, ...).

        Returns:
            Shape (B, C, ...) for class indices of shape (B, ...); the labels' own shape for rows and values. In lam's
            dtype, float32, or the labels' where that is wider.

        Raises:
            ConfigError: if class indices come without ``num_classes``, or one of them is not below it.
            DataError: if a class index is negative, such as an ignored one, or rows hold anything but 0 and 1. On
                another device than the CPU nothing waits to see what labels hold: rows of such become NaN there.
        """
        return soft_labels(self.a, self.b, self.lam, num_classes)

    def rows_like(self, output: Float[Tensor, "batch *row"]) -> Float[Tensor, "batch *row"]:
        """``lam * a + (1 - lam) * b`` for labels that have the output's shape, in the output's dtype.

        Raises:
            DataError: if they have another shape.
        """
        if self.a.shape != output.shape:
            raise DataError(
                f"output has shape {tuple(output.shape)} but y has {tuple(self.a.shape)}: give rows of the output's "
                "shape; of class indices, target.soft(num_classes)"
            )
        return mixed_rows(self.a, self.b, self.lam).to(in_loss_precision(output).dtype)

    def entropy(self, loss: EntropyLoss = "cross_entropy", ignore_index: int = IGNORE_INDEX) -> Float[Tensor, " batch"]:
        """Entropy of each mixed label, in nats: the part of the loss that no model can remove.

        Its mean over a training's batches is the loss floor; :meth:`cross_entropy` minus it is the mean
        Kullback-Leibler divergence of the prediction from the mixed label. Weights of classes and label smoothing are
        not in it.

        Args:
            loss: ``"cross_entropy"``: of class indices, shape (B,) or (B, ...), which are averaged over their
                positions, and of soft rows, shape (B, C, ...); ``"binary_cross_entropy"``: the mean binary entropy of
                multi-label rows of any dtype, shape (B, ...).
            ignore_index: a side with this class index does not count.

        Returns:
            Shape (B,).

        Raises:
            DataError: if the labels are no classes and no probabilities: the values of a regression have no floor. On
                another device than the CPU nothing waits to see what rows hold: they become NaN there.
            ConfigError: if the loss is another one, or rows are to ignore a class index, which they do not hold.

        Example:
            >>> MixedTarget(torch.tensor([0]), torch.tensor([1]), torch.tensor([0.5])).entropy()   # log 2
            tensor([0.6931])
        """
        if loss == "binary_cross_entropy":
            refuse_index_of_rows(ignore_index)
            return multi_label_entropy(mixed_rows(self.a, self.b, self.lam))
        if loss != "cross_entropy":
            raise ConfigError("loss", loss, "use 'cross_entropy' or 'binary_cross_entropy': no other has a floor")
        if self.a.dim() > 1 and (self.a.is_floating_point() or self.a.dtype == torch.bool):
            refuse_index_of_rows(ignore_index)
            return soft_row_entropy(mixed_rows(self.a, self.b, self.lam))
        if self.a.is_floating_point():
            raise DataError(
                f"entropy: y has shape {tuple(self.a.shape)}: give class indices or soft rows (B, C); a regression has "
                "no floor"
            )
        return class_entropy(self.a, self.b, self.lam, ignore_index)

    def accuracy(
        self,
        logits: Float[Tensor, "batch classes *position"],
        weight: Float[Tensor, " classes"] | None = None,
        ignore_index: int = IGNORE_INDEX,
        *,
        sample_weight: Tensor | MixedTarget | None = None,
    ) -> Float[Tensor, ""]:
        """Mean of ``lam * [prediction == a] + (1 - lam) * [prediction == b]``, the share of label mass predicted.

        It is at most the mean of max(lam, 1 - lam) where the two labels differ: a training accuracy under Mixup looks
        low by construction. In a row the heaviest classes are right.

        Args:
            logits: shape (B, C), or (B, C, ...) with labels of shape (B, ...).
            weight: class weights, shape (C,), as in :meth:`cross_entropy`; of class indices only.
            ignore_index: a side with this class index does not count.
            sample_weight: see :meth:`cross_entropy`.

        Raises:
            DataError: if the labels are neither class indices nor rows of the logits' shape, or these no floats.
            ConfigError: if weights do not fit; if rows, of which each counts 1, have weights of classes, or an ignored
                index.
        """
        check_logits(logits)
        check_weight(weight, logits.shape[1])
        lam, total = self._weights(sample_weight)
        terms = accuracy_terms(logits, self.a, self.b, lam, weight=weight, ignore_index=ignore_index)
        return terms.times(total).mean()


def _reduced(terms: Terms, reduction: Reduction) -> Tensor:
    if reduction == "mean":
        return terms.mean()
    return terms.losses.sum() if reduction == "sum" else terms.losses
