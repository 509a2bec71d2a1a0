"""What is claimed, in our own words, and how we know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Provenance = Literal["abstract", "second-hand", "our recollection", "ours"]


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        key: its name in results.
        experiment: which experiment speaks of it.
        text: in our words.
        provenance: ``"abstract"``: read in the paper's abstract; ``"second-hand"``: in a public review or summary of
            it; ``"our recollection"``: believed to be the paper's, and not checked against its text; ``"ours"``.
        rule: how it is judged.
        must_hold: whether it is a theorem, so that it speaks of our formulas and code, not of the paper.
    """

    key: str
    experiment: str
    text: str
    provenance: Provenance
    rule: str
    must_hold: bool = False


_U = "depth of Mixup's U above δ, and ERM's below δ"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "u", "over-training", "Mixup's test error is U-shaped over training, plain training's is not.", "abstract", _U
    ),
    Claim(
        "loss-on",
        "over-training",
        "While the test error rises, Mixup's training loss goes on down towards its floor.",
        "our recollection",
        "smoothed training loss lower at the end than at the turn, and depth of the U above δ",
    ),
    Claim(
        "budget-u",
        "over-training",
        "The U is there in the budget too: under a cosine that ends at 0, the longest training with Mixup ends worse "
        "than the best one.",
        "ours",
        "final error of the longest minus that of the length chosen on held-out samples, above δ",
    ),
    Claim(
        "budget-erm",
        "over-training",
        "Under the same cosine, plain training does not suffer from a long budget.",
        "ours",
        "the same difference for ERM, below δ",
    ),
    Claim(
        "decay",
        "over-training",
        "Weight decay of 0.005 removes the U.",
        "ours",
        "depth with weight decay below δ, and a final error lower than Mixup's by more than δ",
    ),
    Claim(
        "average",
        "over-training",
        "Averaging the weights does not remove the U.",
        "ours",
        "depth with averaged weights above δ",
    ),
    Claim(
        "earlier-epochs",
        "data-size",
        "Fewer data turn earlier, in epochs.",
        "our recollection",
        "depth of the smaller set's U above δ, and log2 of the ratio of turning epochs below 0, equal epochs",
    ),
    Claim(
        "earlier-steps",
        "data-size",
        "Fewer data turn earlier, in steps.",
        "ours",
        "depth of the smaller set's U above δ, and log2 of the ratio of turning steps below 0, equal steps",
    ),
    Claim(
        "deeper",
        "data-size",
        "Fewer data have the deeper U, at equal epochs.",
        "abstract",
        "difference of the depths above δ of the larger set",
    ),
    Claim(
        "deeper-steps",
        "data-size",
        "Fewer data have the deeper U, at equal steps.",
        "ours",
        "difference of the depths above δ of the larger set",
    ),
    Claim(
        "later",
        "augmentation",
        "Augmentation delays the turn.",
        "our recollection",
        "Mixup over-trains without augmentation, and log2 of the ratio of turning epochs is below 0",
    ),
    Claim("mse-u", "mse", "The U appears with the mean squared error as well.", "our recollection", _U),
    Claim(
        "switch-helps",
        "switching",
        "Switching to plain training at the right time ends better than both.",
        "second-hand",
        "final errors of ERM and of Mixup minus that of the switch chosen on held-out samples, both above δ",
    ),
    Claim(
        "switch-early",
        "switching",
        "A switch that comes too early gains less.",
        "our recollection",
        "final error of the earliest switch minus that of the right one, above δ",
    ),
    Claim(
        "switch-late",
        "switching",
        "A switch that comes too late gains less.",
        "our recollection",
        "final error of the latest switch minus that of the right one, above δ",
    ),
    Claim(
        "auto",
        "switching",
        "AutoSwitch ends no worse than plain training, Mixup to the end, and the right switch.",
        "ours",
        "final errors of AutoSwitch minus those of ERM, of Mixup and of the switch chosen on held-out samples, below δ",
    ),
    Claim(
        "gradient-stays",
        "gradient-norm",
        "The gradient norm of Mixup's full loss does not vanish, that of plain training does.",
        "our recollection",
        "end over epoch 1 above a tenth for Mixup, below a tenth for ERM",
    ),
    Claim(
        "gradient-rises",
        "gradient-norm",
        "After the turn the gradient norm of Mixup even rises.",
        "our recollection",
        "end over turn above 1",
    ),
    Claim(
        "sharper",
        "landscape",
        "The late minimum of Mixup's loss is sharper than the early one.",
        "our recollection",
        "rise of the loss at a filter-normalised distance of 0.5, end over turn above 1",
    ),
    Claim(
        "sharper-hessian",
        "landscape",
        "Its largest curvature is larger too.",
        "ours",
        "top eigenvalue of the Hessian, end over turn above 1",
    ),
    Claim(
        "toy-u",
        "teacher-student",
        "In a teacher-student toy the test loss of Mixup is U-shaped, that of plain training is not.",
        "second-hand",
        "depth of Mixup's mean risk above δ, ERM's below δ",
    ),
    Claim(
        "control-generic",
        "teacher-student",
        "A U alone does not prove label noise: under a teacher that the student cannot represent, mixed inputs with "
        "their true labels turn too.",
        "ours",
        "depth with true labels above δ",
    ),
    Claim(
        "control-realizable",
        "teacher-student",
        "Under a teacher that the student can represent, Mixup turns and the same inputs with true labels do not.",
        "ours",
        "depth of Mixup above δ, with true labels below δ or 0.001",
    ),
    Claim(
        "switch-helps",
        "teacher-student",
        "In the toy, too, a switch at the right time ends better than both.",
        "second-hand",
        "final risks of ERM and Mixup minus that of the right switch, above δ; chosen on even seeds, read on odd ones",
    ),
    Claim(
        "switch-wrong-time",
        "teacher-student",
        "In the toy, too, switches that come too early or too late end worse.",
        "our recollection",
        "final risks of the first and last switch minus that of the right one, above δ",
    ),
    Claim(
        "theory-u",
        "random-features",
        "The theory's test risk is U-shaped.",
        "abstract",
        "depth of the risk above δ",
    ),
    Claim(
        "theory-bound",
        "random-features",
        "So is the theory's bound on it.",
        "our recollection",
        "both ends of the bound more than 5 % above its lowest point",
    ),
    Claim(
        "noise-earlier",
        "random-features",
        "More label noise turns earlier.",
        "our recollection",
        "log2 of the ratios of turning times below 0, for the risk and for the bound",
    ),
    Claim(
        "labels-noisy",
        "label-noise",
        "Mixup puts label noise on the samples that it makes.",
        "abstract",
        "total variation above 0.05, and disagreement with the teachers' class in more than 1 % of mixtures",
    ),
    Claim(
        "third-class",
        "label-noise",
        "Some mixtures look like a third class.",
        "our recollection",
        "in more than 1 % of mixtures",
    ),
    Claim(
        "noise-later",
        "label-noise",
        "Clean patterns are fitted first, noise later: after the turn more noisy mixtures are predicted as labelled.",
        "abstract",
        "at the turn, share of clean mixtures predicted as labelled minus that of noisy ones, above 0; share of noisy "
        "ones at the end minus share at the turn, above 0",
    ),
    Claim(
        "floor-formula",
        "loss-floor",
        "For balanced classes and uniform lam a perfect model pays (C − 1) / 2C.",
        "our recollection",
        "simulated mean within four standard errors of the formula",
        must_hold=True,
    ),
    Claim(
        "floor-laws",
        "loss-floor",
        "For other laws of lam it pays what the general formula says.",
        "ours",
        "simulated mean within four standard errors of the formula",
        must_hold=True,
    ),
    Claim(
        "floor-holds",
        "loss-floor",
        "A trained network stays above the floor of its mixtures.",
        "our recollection",
        "loss at the end minus floor above 0",
        must_hold=True,
    ),
    Claim(
        "towards-floor",
        "loss-floor",
        "Training goes on towards the floor after the turn.",
        "our recollection",
        "distance to the floor, end over turn below 1",
    ),
)


def claim_of(experiment: str, key: str) -> Claim:
    """Return a claim.

    Raises:
        KeyError: if there is none.
    """
    for claim in CLAIMS:
        if (claim.experiment, claim.key) == (experiment, key):
            return claim
    raise KeyError(f"{experiment}: no claim {key}")
