"""Recipe: pairing, coefficient, space and target, composed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from overmix.errors import ConfigError, DataError
from overmix.mix.coefficient import Coefficient
from overmix.mix.draws import Draws
from overmix.mix.objective import LabelKind, Objective
from overmix.mix.pairing import Pairing
from overmix.mix.plan import MixPlan
from overmix.mix.random import StreamSource, cursor_from
from overmix.mix.remembered import remembering, said
from overmix.mix.side import Need, SideInfo
from overmix.mix.space import InputSpace, Space, first_tensor, map_tensors, tensors_in
from overmix.mix.target import MixedTarget


class Recipe:
    """A mixing method: who (pairing), how much (coefficient), where (space), and what the model should say (target).

    A recipe has no state. Randomness comes from outside: from an address in :class:`Streams` when overmix drives the
    loop, from a PyTorch generator when ``recipe(x, y)`` is called directly.

    Args:
        pairing: who is mixed with whom.
        coefficient: how much of the sample itself stays.
        space: where the mixing happens; the input by default.

    Example:
        >>> from overmix.mix import BetaCoefficient, RandomPairing
        >>> recipe = Recipe(RandomPairing(), BetaCoefficient(alpha=0.4))
        >>> x, y = torch.rand(6, 3), torch.arange(6)
        >>> x_mixed, target = recipe(x, y, generator=torch.Generator().manual_seed(0))
        >>> x_mixed.shape, target.a.tolist()
        (torch.Size([6, 3]), [0, 1, 2, 3, 4, 5])
        >>> recipe
        Recipe(pairing=RandomPairing(), coefficient=BetaCoefficient(alpha=0.4, per='batch'), space=None)
    """

    # Apart from the rest of the object, since studies and pages tell recipes by their attributes.
    __slots__ = ("__dict__", "__weakref__", "_settings")

    asks: ClassVar[frozenset[Need]] = frozenset()
    """What the method itself needs, beyond what its pairing, coefficient and space need."""

    for_labels: tuple[LabelKind, ...] = ("classes", "rows", "values")
    """The kinds of labels that the method is for."""

    feature_layer: str | None = None
    """Where features come from, if they are needed: a layer's output; ``None`` is what enters the last linear one."""

    usual_loss: Objective | None = None
    """What is minimised where nothing else is asked for; ``None`` means the target's cross-entropy."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "__init__" in vars(cls):
            cls.__init__ = remembering(cls.__init__)  # type: ignore[method-assign]

    @remembering
    def __init__(self, pairing: Pairing, coefficient: Coefficient, space: Space | None = None) -> None:
        self.pairing = pairing
        self.coefficient = coefficient
        self.space: Space = InputSpace() if space is None else space

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={said(value)}' for name, value in self.settings.items())})"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The parameters that it was made with, by name, those that were left out at their defaults.

        They are its repr, and what a resumed run must share.
        """
        return getattr(self, "_settings", {})

    @property
    def needs(self) -> frozenset[Need]:
        """What it must be given, or asks of the training loop, beyond a batch; empty for methods such as Mixup."""
        return self.asks | self.pairing.needs | self.coefficient.needs | self.space.needs

    @property
    def off_doubt(self) -> str:
        """The task that it is for, where switching off has done harm; empty elsewhere.

        Measured on the census: to decide there all the same ended above mixing to the end with C-Mixup, MixCo,
        BiMixCo, LISA and selective Mixup among domains, and below it with M3Co, which is for such a task too. Policies
        that decide by themselves go on mixing in all of them, unless told. It follows from what the recipe is for, not
        from labels: Mixup has none, whatever it mixes.
        """
        if "modalities" in self.needs or self.for_labels == ("views",):
            return "contrastive learning"
        if "domain" in self.needs:
            return "a shift between domains"
        return "" if "classes" in self.for_labels else "regression"

    @property
    def only_mixes(self) -> bool:
        """Whether the loss is plainly that of both labels, at what the space makes of the batch.

        Then recipes with one space share a stack, one's switched-off replicas are its plan with lam = 1, and an
        objective may do the step in its own way.
        """
        cls = type(self)
        return cls.apply is Recipe.apply and cls.target is Recipe.target and cls.mixed_loss is Recipe.mixed_loss

    def batch_of(self, x: Any, y: Any) -> tuple[int, torch.device]:
        """Return the number of samples of a batch, and the device that they lie on.

        A recipe for labels of another form, such as lists, says here what it takes.

        Args:
            x: the batch; see :meth:`__call__`.
            y: its labels.

        Raises:
            DataError: if the recipe does not mix such a batch, or such labels.
        """
        check_batch(x, y)
        return batch_size_of(y), device_of(y)

    def relabelled(self, y: Tensor, output: Tensor) -> Tensor:
        """Return the labels that are paired and mixed, given what the model says of the clean batch; ``y`` by default.

        Asked only of recipes that need ``"predictions"``.

        Args:
            y: the labels of the batch, shape (B, ...).
            output: the model's output, shape (B, C), without a gradient.
        """
        return y

    def draw(self, streams: StreamSource, batch_size: int, *, epoch: int = 0, step: int = 0) -> Draws:
        """Return the raw numbers of the batch at one address, on the CPU.

        Args:
            streams: the random streams of the run.
            batch_size: number of samples B.
            epoch: zero-based epoch.
            step: zero-based step within the epoch.
        """
        return Draws(
            pairing=self.pairing.draw(streams.generator("pairing", epoch=epoch, step=step), batch_size),
            coefficient=self.coefficient.draw(streams.generator("coefficient", epoch=epoch, step=step), batch_size),
            space=self.space.draw(streams.generator("space", epoch=epoch, step=step), batch_size),
        )

    def plan(
        self,
        draws: Draws,
        y: Tensor | None = None,
        *,
        sample_shape: tuple[int, ...] | None = None,
        features: Tensor | None = None,
        domain: Tensor | None = None,
    ) -> MixPlan:
        """Turn raw numbers into a plan, on the device they lie on. No value is copied to the host.

        ``torch.func.vmap`` maps it over stacked draws.

        Args:
            draws: what :meth:`draw` returned.
            y: labels of the batch, shape (B, ...), for pairings that look at them, which need one kind of label.
            sample_shape: shape of one sample, for spaces that look at it.
            features: representations, shape (B, D), if the recipe needs them.
            domain: where each sample comes from, integers of shape (B,), if the recipe needs it.

        Raises:
            DataError: if something that the recipe needs is missing, or features or domains are not of this form.
        """
        one_each = (y, draws.choice, draws.pairing)
        batch = next((part for part in one_each if isinstance(part, Tensor) and part.dim()), None)
        side = SideInfo.checked(y, features, domain, batch)
        side.require(self.needs, type(self).__name__)
        return self._plan(draws, side, sample_shape)

    def _plan(self, draws: Draws, side: SideInfo, sample_shape: tuple[int, ...] | None) -> MixPlan:
        if draws.pairing is None or draws.coefficient is None:
            raise DataError(f"{type(self).__name__}: these draws are of another recipe")
        partner = self.pairing.partner(draws.pairing, side)
        lam = self.coefficient.lam(draws.coefficient, partner, side)
        return self.space.plan(draws.space, partner, lam, sample_shape)

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the mixed batch. Pure: ``x`` is not modified."""
        return self.space.apply(plan, x)

    def target(self, plan: MixPlan, y: Tensor) -> MixedTarget:
        """Return the mixed target: both labels of each pair with their weight.

        Raises:
            DataError: if the plan is for another batch size.
        """
        if y.shape[0] != plan.batch_size:
            raise DataError(f"y has shape {tuple(y.shape)}, but the plan is for a batch of {plan.batch_size} samples")
        return MixedTarget(*self.space.labels(plan, y))

    def mix(self, x: Any, y: Any, plan: MixPlan) -> tuple[Any, Any]:
        """Return the mixed batch and its target for a plan that is already made.

        Labels of several tasks are a dictionary, and so are their targets then.

        Raises:
            DataError: if the plan is for another batch size, or ``x`` holds numbers that have no average.
            ConfigError: if the recipe mixes inside of the model, which a batch alone cannot show.
        """
        if "hidden" in self.needs:
            raise ConfigError(
                "recipe", type(self).__name__, "it mixes inside the model: use recipe.objective(model, x, y, plan)"
            )
        if isinstance(y, Mapping):
            return self.apply(plan, x), map_tensors(lambda label: self.target(plan, label), y)
        return self.apply(plan, x), self.target(plan, y)

    def unmixed(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return the batch and its own labels in the types that :meth:`mix` returns, with lam = 1."""
        lam = torch.ones(batch_size_of(y), device=device_of(y))
        return self.space.unmixed(x), map_tensors(lambda label: MixedTarget(label, label, lam), y)

    def objective(
        self, model: Callable[[Any], Tensor], x: Any, y: Tensor, plan: MixPlan | None, loss: Objective | None = None
    ) -> Tensor:
        """Return the training loss of one batch: ``mixed_loss(model, apply(plan, x), y, plan, loss)``.

        A method with a loss of its own says so in :meth:`mixed_loss`. Without a plan, which is what
        :meth:`overmix.Epoch.plan` returns once mixing is off, it is the loss of the clean batch that :meth:`unmixed`
        returns: the plain one, but for contrastive recipes and M3Co what their classes say of "off".

        Args:
            model: maps a batch to logits of shape (B, C); a module if the recipe mixes inside of it.
            x: the clean batch.
            y: its labels.
            plan: the plan to apply, or ``None``.
            loss: see :meth:`mixed_loss`.
        """
        if plan is None:
            return self._plain_loss(model, x, y, loss)
        return self.mixed_loss(model, self.apply(plan, x), y, plan, loss)

    def _plain_loss(self, model: Callable[[Any], Any], x: Any, y: Tensor, loss: Objective | None) -> Tensor:
        clean, target = self.unmixed(x, y)
        return self._loss_of(target, model(clean), loss)

    def mixed_loss(
        self, model: Callable[[Any], Tensor], x_mixed: Any, y: Tensor, plan: MixPlan, loss: Objective | None = None
    ) -> Tensor:
        """Return the training loss of a batch that is already mixed: ``target(plan, y).cross_entropy(model(x_mixed))``.

        A method with a loss of its own says so here. Nothing in it depends on values, so that ``torch.func.vmap`` maps
        it over a stack of replicas.

        Args:
            model: see :meth:`objective`.
            x_mixed: what :meth:`apply` returned.
            y: the labels of the clean batch.
            plan: the plan that was applied.
            loss: what is minimised, in the place of the loss that the method is usually trained with; a method whose
                loss is all its own refuses another.
        """
        with self.space.inside(model, plan):
            output = model(x_mixed)
        return self._loss_of(self.target(plan, y), output, loss)

    def _loss_of(self, target: Any, output: Any, loss: Objective | None) -> Tensor:
        """Return what is minimised where the method has no loss of its own."""
        loss = loss or self.usual_loss
        minimised: Tensor = target.cross_entropy(output) if loss is None else target.under(loss, output)
        return minimised

    def floors(self, plan: MixPlan, y: Tensor, loss: Objective) -> Tensor:
        """Return what no model's loss of each sample is below, shape (B,); 0 where the method has a loss of its own.

        Args:
            plan: the plan that was applied.
            y: the labels of the clean batch.
            loss: what is minimised.
        """
        if not self.only_mixes:
            return torch.zeros_like(plan.lam)
        return loss.floors(*self.space.labels(plan, y))

    def __call__(
        self,
        x: Any,
        y: Any,
        generator: torch.Generator | None = None,
        *,
        features: Tensor | None = None,
        domain: Tensor | None = None,
    ) -> tuple[Any, Any]:
        """Mix one batch.

        Args:
            x: the batch, a tensor of shape (B, ...) or a tuple, list or dictionary of such tensors; any floating dtype,
                or uint8 (returned as float32).
            y: the labels, shape (B, ...): class indices, soft or multi-label rows, regression values; or a dictionary
                of labels for several tasks.
            generator: the PyTorch generator that randomness comes from; by default PyTorch's own, so that
                ``torch.manual_seed`` makes it repeat.
            features: see :meth:`plan`.
            domain: see :meth:`plan`.

        Returns:
            The mixed batch and its :class:`MixedTarget`, or a dictionary of targets for a dictionary of labels.

        Raises:
            DataError: if ``x`` and ``y`` cannot be mixed; the message says why.
            ConfigError: if the recipe mixes inside of the model.
        """
        batch_size, device = self.batch_of(x, y)
        draws = self.draw(cursor_from(generator), batch_size).to(device)
        plan = self.plan(draws, y, sample_shape=sample_shape(x), features=features, domain=domain)
        return self.mix(x, y, plan)


def sample_shape(x: Any) -> tuple[int, ...]:
    """Return the shape of one sample, taken from the first tensor in ``x``."""
    tensor = first_tensor(x)
    return () if tensor is None else tuple(tensor.shape[1:])


def batch_size_of(y: Any) -> int:
    """Return the number of samples that have these labels: a tensor, or a dictionary of tensors."""
    return next(tensors_in(y)).shape[0]


def device_of(y: Any) -> torch.device:
    """Return the device that labels lie on: a tensor, or a dictionary of tensors."""
    return next(tensors_in(y)).device


def check_batch(x: Any, y: object) -> None:
    """Refuse a batch that cannot be mixed.

    Raises:
        DataError: if ``y`` is neither a tensor with a batch dimension nor a dictionary of them, or ``x`` has another
            number of samples, or lies on another device; for tensors that are not dense, and numbers of one byte.
    """
    for name, nest in (("x", x), ("y", y)):
        for part in tensors_in(nest):
            _check_form(part, name)
    labels = list(y.values()) if isinstance(y, Mapping) else [y]
    for label in labels:
        if not isinstance(label, Tensor) or label.dim() == 0:
            raise DataError(
                f"y must be a tensor of shape (B, ...), not {type(label).__name__}: give one label per sample, or a "
                "dictionary of such tensors for several tasks"
            )
    sizes = {label.shape[0] for label in labels if isinstance(label, Tensor)}
    if len(sizes) != 1:
        raise DataError(f"y is a dictionary of labels for {sorted(sizes)} samples: give one label of each per sample")
    (first, *_) = labels
    tensor = first_tensor(x)
    if not isinstance(first, Tensor) or tensor is None:
        return
    if tensor.dim() == 0 or tensor.shape[0] != first.shape[0]:
        if isinstance(x, list) and len(x) == first.shape[0]:
            raise DataError(f"x is a list of {len(x)} samples: give one tensor, torch.stack(x), of samples of one size")
        raise DataError(f"x has shape {tuple(tensor.shape)} but y has {tuple(first.shape)}: give one label per sample")
    if tensor.device != first.device:
        raise DataError(f"x is on {tensor.device} but y is on {first.device}: move both to one device")


def _check_form(tensor: Tensor, name: str) -> None:
    """Refuse tensors that PyTorch has no mixing for, with what makes others of them."""
    if tensor.is_nested:
        remedy = "give a tensor of samples of one size, torch.nested.to_padded_tensor(...)"
        raise DataError(f"{name} is a nested tensor: {remedy}")
    if tensor.is_quantized:
        raise DataError(f"{name} has dtype {tensor.dtype}, which is quantized: give floats, {name}.dequantize()")
    if tensor.layout != torch.strided:
        raise DataError(f"{name} has layout {tensor.layout}: give a dense tensor, {name}.to_dense()")
    if tensor.is_floating_point() and tensor.dtype.itemsize == 1:
        raise DataError(f"{name} has dtype {tensor.dtype}, which is not mixed: give wider floats, {name}.float()")
