"""The experiments: of which settings each consists, and which rule reads which claim from which setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import resources

from overmix.errors import ConfigError, did_you_mean
from overmix.experiments.reproduce import gradients, noise, theory
from overmix.experiments.reproduce.finding import Finding
from overmix.experiments.reproduce.parts import Parts
from overmix.experiments.reproduce.scale import SCALES, Scale
from overmix.experiments.reproduce.shrink import shrunk
from overmix.experiments.reproduce.study_checks import (
    CheckRule,
    as_good_as_the_best,
    deeper,
    ends_better,
    long_budget_does_not_hurt,
    long_budget_hurts,
    loss_goes_on,
    monotone,
    switch_helps,
    together,
    turns_earlier,
    u_shaped,
    wrong_time,
)
from overmix.study.spec.parse import parse_study
from overmix.study.spec.schema import StudySpec
from overmix.study.spec.yaml_file import read_yaml


@dataclass(frozen=True)
class Setting:
    """One set-up of an experiment.

    Attributes:
        key: its name: a study file's, if it has one.
        rules: per claim, how it is read from the finished study.
        measure: for what a study's curves do not say: a function of the study, and of the parts that are kept.
        compute: for what needs no training: a function of the scale, and of the parts that are kept.
    """

    key: str
    rules: dict[str, CheckRule] = field(default_factory=dict)
    measure: Callable[[StudySpec, Parts], Finding] | None = None
    compute: Callable[[Scale, Parts], Finding] | None = None


@dataclass(frozen=True)
class Experiment:
    """One NAME of ``overmix reproduce``.

    Attributes:
        name: as it is typed.
        title: what it asks.
        settings: at smoke and laptop scale.
        paper: at the paper's scale; the theory's experiments are the same there.
        gpu: what one GPU does in minutes; none for most.
    """

    name: str
    title: str
    settings: tuple[Setting, ...]
    paper: tuple[Setting, ...] = ()
    gpu: tuple[Setting, ...] = ()

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scales that it can be run at."""
        return tuple(scale for scale in SCALES if scale != "gpu" or self.gpu)

    def at(self, scale: Scale) -> tuple[Setting, ...]:
        """Return the settings of a scale.

        Raises:
            ConfigError: if it has none.
        """
        if scale not in self.scales:
            raise ConfigError("scale", scale, f"{self.name} has {', '.join(self.scales)}")
        larger = {"gpu": self.gpu, "paper": self.paper}.get(scale, ())
        return larger or self.settings


def study_spec(experiment: str, key: str, scale: Scale) -> StudySpec:
    """Return the study of a setting; smoke is the laptop's with everything small."""
    folder = resources.files("overmix.experiments.reproduce") / "studies" / ("laptop" if scale == "smoke" else scale)
    with resources.as_file(folder / experiment / f"{key}.yaml") as path:
        content = read_yaml(path)
    return parse_study(shrunk(content) if scale == "smoke" else content)


def _budgets(name: str, lengths: tuple[int, ...]) -> list[str]:
    return [f"{name}, {length} epochs" for length in lengths]


def _switches(epochs: tuple[int, ...]) -> list[str]:
    return [f"Mixup → ERM @{epoch}" for epoch in epochs]


def _switching(key: str, epochs: tuple[int, ...]) -> Setting:
    names = _switches(epochs)
    return Setting(
        key,
        {
            "switch-helps": switch_helps(names, ["ERM", "Mixup"]),
            "switch-early": wrong_time(names, names[0]),
            "switch-late": wrong_time(names, names[-1]),
        },
    )


def _residual_network(key: str) -> Setting:
    epochs = (300, 450)
    auto = as_good_as_the_best("Mixup → ERM (auto)", ["ERM", "Mixup"], _switches(epochs))
    return Setting(key, {**_switching(key, epochs).rules, "auto": auto})


def _sizes(key: str, small: int, large: int, longer: int) -> Setting:
    few, many = f"Mixup, {small} samples", f"Mixup, {large} samples"
    as_long = f"{few}, {longer} epochs"
    return Setting(
        key,
        {
            "earlier-epochs": together(u_shaped(few), turns_earlier(few, many)),
            "earlier-steps": together(u_shaped(as_long), turns_earlier(as_long, many, of="steps")),
            "deeper": deeper(few, many),
            "deeper-steps": deeper(as_long, many),
        },
    )


_BOTH = together(u_shaped(), monotone())
_BUDGETS = (64, 128, 256, 512, 1024, 2048)
_OVER = {"u": _BOTH, "loss-on": loss_goes_on()}
_DECAYED, _AVERAGED = "Mixup, weight decay 0.005", "Mixup, averaged weights"
_LATER = {"later": together(u_shaped(), turns_earlier("Mixup", "Mixup, augmented"))}
_CONVNET_TURN = 178 / 1000
"""Mixup's turning epoch in over-training/digits-convnet, as a share of the training. It was written down before the
gradients and slices at that epoch were looked at."""
_PAPER_SWITCHES = (50, 100, 150, 200, 400, 800)

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "over-training",
        "Does Mixup over-train where plain training does not, and what else helps?",
        (
            Setting("digits-mlp", _OVER),
            Setting("digits-convnet", _OVER),
            Setting("mnist1d-mlp", _OVER),
            Setting("fashion-resnet8", _OVER),
            Setting("fashion-resnet8-1000", _OVER),
            Setting(
                "budget",
                {
                    "budget-u": long_budget_hurts(_budgets("Mixup", _BUDGETS)),
                    "budget-erm": long_budget_does_not_hurt(_budgets("ERM", _BUDGETS)),
                },
            ),
            Setting(
                "remedies",
                {
                    "decay": together(monotone(_DECAYED), ends_better(_DECAYED, "Mixup")),
                    "average": u_shaped(_AVERAGED),
                },
            ),
        ),
        tuple(
            Setting(key, _OVER)
            for key in ("cifar10-resnet18", "cifar10-30-resnet18", "cifar100-resnet34", "svhn-resnet18")
        ),
        gpu=(Setting("fashion-resnet18", _OVER),),
    ),
    Experiment(
        "data-size",
        "Do fewer data turn earlier and deeper?",
        (
            _sizes("digits-mlp", 100, 400, 6000),
            _sizes("mnist1d-mlp", 1200, 4000, 1033),
            _sizes("fashion-resnet8", 500, 1000, 1200),
        ),
        (_sizes("cifar10-resnet18", 15000, 50000, 5348),),
    ),
    Experiment(
        "augmentation",
        "Does augmentation delay the turn?",
        tuple(Setting(key, _LATER) for key in ("digits-mlp", "digits-convnet", "fashion-resnet8")),
        (Setting("cifar10-resnet18", _LATER),),
    ),
    Experiment(
        "mse",
        "Is the U one of the cross-entropy only?",
        (Setting("digits-mlp", {"mse-u": _BOTH}), Setting("digits-convnet", {"mse-u": _BOTH})),
        (Setting("cifar10-resnet18", {"mse-u": _BOTH}),),
    ),
    Experiment(
        "switching",
        "When should Mixup be switched off?",
        (
            _switching("digits-mlp", (4, 32, 64, 128, 256, 900)),
            _switching("digits-convnet", (8, 32, 128, 360)),
            _switching("mnist1d-mlp", (32, 128, 256, 360)),
            _residual_network("fashion-resnet8"),
            _residual_network("fashion-resnet8-cosine"),
            _residual_network("fashion-resnet8-augmented"),
            _residual_network("fashion-resnet8-augmented-cosine"),
            _residual_network("fashion-resnet8-1000"),
        ),
        (_switching("cifar10-resnet18", _PAPER_SWITCHES), _switching("svhn-resnet18", _PAPER_SWITCHES)),
    ),
    Experiment(
        "gradient-norm",
        "Does the gradient of Mixup's loss vanish?",
        (
            Setting("digits-mlp", measure=gradients.gradient_norms),
            Setting("digits-convnet", measure=partial(gradients.gradient_norms, turn=_CONVNET_TURN)),
        ),
        (Setting("cifar10-resnet18", measure=gradients.gradient_norms),),
    ),
    Experiment(
        "landscape",
        "Are late minima sharper?",
        (
            Setting("digits-mlp", measure=gradients.sharpness),
            Setting("digits-convnet", measure=partial(gradients.sharpness, turn=_CONVNET_TURN)),
        ),
        (Setting("cifar10-resnet18", measure=gradients.sharpness),),
    ),
    Experiment(
        "teacher-student",
        "Does a toy whose only noise is Mixup's show the U, and what do its controls say?",
        (
            Setting("generic", compute=theory.teacher_student),
            Setting("realizable", compute=partial(theory.teacher_student, realizable=True)),
        ),
    ),
    Experiment(
        "random-features",
        "Does the theory show the U, and does noise move it?",
        (Setting("toy", compute=theory.random_features),),
    ),
    Experiment(
        "label-noise",
        "How noisy are Mixup's labels, and when are they learnt by heart?",
        (Setting("digits-mlp", measure=noise.noisy_labels),),
    ),
    Experiment(
        "loss-floor",
        "Does the training loss have the floor that the theory says?",
        (
            Setting("closed-form", compute=theory.closed_form_floor),
            Setting("digits-mlp", measure=gradients.loss_above_floor),
        ),
    ),
)


def experiment(name: str) -> Experiment:
    """Return an experiment.

    Raises:
        ConfigError: for an unknown name, with the nearest known one.

    Example:
        >>> experiment("over-trainning")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        overmix.errors.ConfigError: NAME = 'over-trainning': did you mean over-training? known: ...
    """
    experiments = {entry.name: entry for entry in EXPERIMENTS}
    if name not in experiments:
        raise ConfigError("NAME", name, did_you_mean(name, experiments))
    return experiments[name]
