"""scikit-learn: a perceptron trained with Mixup, as a classifier and as a regressor."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from overmix.errors import ConfigError, DataError, MissingExtraError
from overmix.integrations.estimator_network import made_perceptron, mean_and_std
from overmix.integrations.estimator_settings import MixUntil, checked_settings, mixes_to_the_end
from overmix.mix import Recipe, SquaredError
from overmix.switch import Epoch, Epochs, Outcome, Policy, Schedule, off_at

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise MissingExtraError("scikit-learn 1.6 or newer", "sklearn") from None

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MixupClassifier", "MixupRegressor"]

_FEWEST_HELD_OUT = 20
"""With fewer held-out samples a policy would decide on noise."""


class _MixupEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators share: the network, its training, and the samples that are held out for the switch."""

    module_: nn.Module
    decision_: Outcome

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (128, 128),
        *,
        mix: str | Recipe = "Mixup",
        switch: str | int | float | Schedule | Policy = "auto",
        epochs: int = 200,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        validation_fraction: float = 0.2,
        device: str = "cpu",
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.mix = mix
        self.switch = switch
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state

    def _train(
        self, method: MixUntil, x: np.ndarray, y: np.ndarray, classes: int | None, stratify: np.ndarray | None = None
    ) -> None:
        """Hold samples out if the switch needs them, standardise, and train; without classes, on values."""
        recipe, switch = method
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31 - 1))
        held_out: np.ndarray = np.zeros(len(x), dtype=bool)
        if mixes_to_the_end(recipe, switch):
            warnings.warn(_STAYS.format(type(recipe).__name__, recipe.off_doubt), UserWarning, stacklevel=3)
        elif isinstance(switch, Policy):
            held_out = self._hold_out(len(x), stratify, random)
            if not held_out.any():
                warnings.warn(_TOO_FEW.format(len(x)), UserWarning, stacklevel=3)
                switch = off_at(0.5)
        self.mean_, self.scale_ = mean_and_std(x[~held_out])
        inputs, labels = self._inputs(x).float(), torch.as_tensor(y, device=self.device)
        self.module_ = made_perceptron(x.shape[1], self.hidden_layer_sizes, classes, seed).to(self.device)
        self._check_loss(recipe, inputs, labels, classes)
        run = self._fit_loop(recipe, switch, seed, (inputs, labels), torch.from_numpy(held_out))
        self.module_.eval()
        self.decision_, self.cost_, self.n_iter_ = run.decision, run.cost, self.epochs
        self.n_held_out_ = int(held_out.sum())

    def _check_loss(self, recipe: Recipe, x: Tensor, y: Tensor, classes: int | None) -> None:
        """Refuse a recipe whose pairs or loss do not take such outputs and labels, on a few samples."""
        few = 4 if classes == 3 else 3  # as many as classes would broadcast, and mean another thing
        x, y = x[:few], y[:few]
        try:
            with torch.no_grad():
                plan = Epochs(1, mix=recipe, rank=0).next_epoch().plan(x, y)  # type: ignore[union-attr]
                self._loss(recipe, x, y, plan)
        except (RuntimeError, UserWarning, DataError) as error:
            reason = str(error).splitlines()[0]
            shape = "(B,)" if classes is None else f"(B, {classes})"
            remedy = f'it does not fit outputs of shape {shape} and labels of shape (B,), use "Mixup"'
            raise ConfigError("mix", self.mix, f"{remedy}: {reason}") from None

    def _fit_loop(
        self, recipe: Recipe, switch: Schedule | Policy, seed: int, data: tuple[Tensor, Tensor], held_out: Tensor
    ) -> Epochs:
        (x, y), held_out = data, held_out.to(data[0].device)
        train, val = torch.nonzero(~held_out).flatten(), torch.nonzero(held_out).flatten()
        optimizer = torch.optim.AdamW(self.module_.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        order = torch.Generator().manual_seed(seed)
        state = {"module": self.module_, "optimizer": optimizer, "order": order}
        batches = -(-len(train) // self.batch_size)
        # One process: a process group that the program may have is not this estimator's.
        run = Epochs(self.epochs, mix=recipe, switch=switch, seed=seed, rank=0, state=state, steps_per_epoch=batches)
        for epoch in run:
            self.module_.train()
            for batch in torch.split(torch.randperm(len(train), generator=order), self.batch_size):
                index = train[batch.to(train.device)]
                plan = epoch.plan(x[index], y[index])
                loss = self._loss(recipe, x[index], y[index], plan)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            if epoch.scored and len(val):
                self.module_.eval()
                with torch.no_grad():
                    self._observe(epoch, self.module_(x[val]), y[val])
        return run

    def _loss(self, recipe: Recipe, x: Tensor, y: Tensor, plan: Any) -> Tensor:
        raise NotImplementedError

    def _observe(self, epoch: Epoch, output: Tensor, y: Tensor) -> None:
        raise NotImplementedError

    def _hold_out(self, n: int, stratify: np.ndarray | None, random: np.random.RandomState) -> np.ndarray:
        """Return which samples are held out, shape (n,); none if they are too few to decide on.

        A class of one sample is trained on: a label that occurs once is no reason to decide on nothing.
        """
        held_out, count = np.zeros(n, dtype=bool), int(self.validation_fraction * n)
        often = np.arange(n) if stratify is None else np.flatnonzero(np.bincount(stratify)[stratify] > 1)
        classes = 0 if stratify is None else len(np.unique(stratify[often]))
        if count < max(_FEWEST_HELD_OUT, classes) or len(often) < count + classes:
            return held_out
        _, chosen = train_test_split(
            often,
            test_size=count,
            random_state=random.randint(2**31 - 1),
            stratify=None if stratify is None else stratify[often],
        )
        held_out[chosen] = True
        return held_out

    def _inputs(self, x: np.ndarray) -> Tensor:
        """Return the samples, standardised, on the device, float64."""
        return torch.from_numpy((x - self.mean_) / self.scale_).to(self.device)

    def _output(self, x: Any) -> np.ndarray:
        """Return what the network says, shape (n, C) or (n,), float64."""
        check_is_fitted(self)
        x = validate_data(self, x, dtype=np.float64, reset=False)
        # In float64, so that a sample's output does not depend on the others that it comes with.
        weights = {name: value.double() for name, value in self.module_.state_dict().items()}
        with torch.no_grad():
            output = torch.func.functional_call(self.module_, weights, (self._inputs(x),))
        return np.asarray(output.cpu())


_TOO_FEW = (
    "{} samples are too few to hold some out and decide on them: Mixup goes off after half of the epochs; "
    "give a switch, such as switch=0.5, to say so yourself"
)
_STAYS = (
    "{} is for {}, where switching off has done harm: AutoSwitch mixes to the end and nothing is held out; give "
    'switch="always" to say so yourself, or switch=AutoSwitch(anywhere=True) to have it decide'
)


class MixupClassifier(ClassifierMixin, _MixupEstimator):  # type: ignore[misc]
    """A perceptron trained with ``x' = lam x_i + (1 - lam) x_j``, ``y'`` likewise, until held-out samples say stop.

    An estimator like any other: in pipelines, searches and cross-validation. It standardises its features itself, with
    mean and standard deviation of the samples that it trains on. What is not numeric is for a pipeline's transformers.

    Args:
        hidden_layer_sizes: width of each hidden layer.
        mix: the recipe, by name (``"Mixup"``, ``"NoMixup"``) or as an object, ``overmix.Mixup(alpha=0.2)``. The ones
            that mix inputs of any shape fit; those that need more than samples and labels are refused.
        switch: until when it mixes: ``"auto"`` (held-out samples decide), ``"always"``, ``"never"``, an epoch (128), a
            share of the epochs (0.5), or a schedule or policy of :mod:`overmix.switch`.
        epochs: length of the training.
        batch_size: samples per step; the last batch of an epoch may be smaller.
        learning_rate: of AdamW, constant.
        weight_decay: of AdamW.
        validation_fraction: share of the samples that ``"auto"`` and other policies decide on; the network does not
            train on them. With fewer than 20 of them, or fewer than classes, Mixup goes off at half, with a warning.
        device: where it is trained, ``"cpu"`` or ``"cuda"``.
        random_state: an integer, a NumPy ``RandomState``, or None; PyTorch's own generators are left alone.

    Attributes:
        classes_: the labels, shape (C,).
        module_: the network, which maps standardised samples to logits.
        decision_: when Mixup went off, and why: print it.
        cost_: epochs trained, probes included, over ``epochs``.
        n_held_out_: how many samples the decision was made on.

    Raises:
        ConfigError: from ``fit``, if a setting cannot work. It is a ``ValueError``.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> x, y = load_iris(return_X_y=True)
        >>> model = MixupClassifier((16,), epochs=40, learning_rate=0.01, random_state=0).fit(x, y)
        >>> model.predict(x[:2]).tolist(), model.score(x, y) > 0.9
        ([0, 0], True)

    Source: Zhang, Cisse, Dauphin, Lopez-Paz: mixup: Beyond Empirical Risk Minimization (ICLR 2018).
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on samples of shape (n, features) and labels of shape (n,)."""
        method = checked_settings(self, "classes")
        x, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, classes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y has one class only: a classifier needs samples of two classes or more")
        self._train(method, x, classes, len(self.classes_), stratify=classes)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, shape (n, C), in the order of ``classes_``."""
        return torch.softmax(torch.from_numpy(self._output(X)), dim=1).numpy()

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logits, shape (n, C); of two classes the second one's minus the first one's, shape (n,)."""
        logits = self._output(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each sample, shape (n,)."""
        best = self._output(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[best]
        return labels

    def _loss(self, recipe: Recipe, x: Tensor, y: Tensor, plan: Any) -> Tensor:
        return recipe.objective(self.module_, x, y, plan)

    def _observe(self, epoch: Epoch, output: Tensor, y: Tensor) -> None:
        epoch.observe(output, y)


class MixupRegressor(RegressorMixin, _MixupEstimator):  # type: ignore[misc]
    """A perceptron trained with ``x' = lam x_i + (1 - lam) x_j``, ``y'`` likewise, partners with similar values.

    As :class:`MixupClassifier`, with two other defaults: the recipe is C-Mixup, and it is not switched off: that
    switching off helps was seen for classes, not for values. Values are standardised while it trains. What is
    minimised is the squared error, or what the recipe has in its place, such as ``LossMix(criterion="smooth_l1")``.

    Args:
        hidden_layer_sizes: width of each hidden layer.
        mix: the recipe, by name (``"CMixup"``, ``"Mixup"``, ``"NoMixup"``) or as an object. Kernel widths are in
            standard deviations of ``y``.
        switch: until when it mixes: ``"always"``, ``"auto"``, ``"never"``, an epoch (128), a share of the epochs (0.5),
            or a schedule or policy of :mod:`overmix.switch`. Policies see the squared error of held-out samples.
        epochs: length of the training.
        batch_size: samples per step; the last batch of an epoch may be smaller.
        learning_rate: of AdamW, constant.
        weight_decay: of AdamW.
        validation_fraction: share of the samples that ``"auto"`` and other policies decide on.
        device: where it is trained, ``"cpu"`` or ``"cuda"``.
        random_state: an integer, a NumPy ``RandomState``, or None.

    Attributes:
        module_: the network, which maps standardised samples to standardised values, shape (n,).
        decision_: when Mixup went off, and why: print it.
        cost_: epochs trained, probes included, over ``epochs``.
        n_held_out_: how many samples the decision was made on.

    Raises:
        ConfigError: from ``fit``, if a setting cannot work. It is a ``ValueError``.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> x, y = load_diabetes(return_X_y=True)
        >>> model = MixupRegressor((32,), epochs=20, random_state=0).fit(x, y)
        >>> model.predict(x[:2]).shape, model.score(x, y) > 0.4
        ((2,), True)

    Source: Yao, Wang, Zhang, Zou, Finn: C-Mixup: Improving Generalization in Regression (NeurIPS 2022).
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (128, 128),
        *,
        mix: str | Recipe = "CMixup",
        switch: str | int | float | Schedule | Policy = "always",
        epochs: int = 200,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        validation_fraction: float = 0.2,
        device: str = "cpu",
        random_state: Any = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            mix=mix,
            switch=switch,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            validation_fraction=validation_fraction,
            device=device,
            random_state=random_state,
        )

    def fit(self, X: Any, y: Any) -> Self:
        """Train on samples of shape (n, features) and values of shape (n,)."""
        method = checked_settings(self, "values")
        x, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        self.y_mean_, self.y_scale_ = (float(number) for number in mean_and_std(y))
        standardised = ((y - self.y_mean_) / self.y_scale_).astype(np.float32)
        self._train(method, x, standardised, classes=None)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the value of each sample, shape (n,)."""
        return self._output(X) * self.y_scale_ + self.y_mean_

    def _loss(self, recipe: Recipe, x: Tensor, y: Tensor, plan: Any) -> Tensor:
        return recipe.objective(self.module_, x, y, plan, recipe.usual_loss or SquaredError())

    def _observe(self, epoch: Epoch, output: Tensor, y: Tensor) -> None:
        epoch.observe(scores=(output - y) ** 2)
