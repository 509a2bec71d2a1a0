import numpy as np
import pytest

from overmix.explain import loss_floor
from overmix.study import load_result, parse_study, run_study
from overmix.study.analyse.floors import condition_floor, study_floors

COUNTS = [[30, 20, 10], [20, 20, 20]]
BALANCED = 0.5 * (2 / 3) * (60 / 59) * (1 - 1 / 15)


def floor(condition, **train):
    spec = parse_study({"compare": [condition], "train": {"epochs": 8, "batch_size": 15, **train}})
    return condition_floor(spec.compare[0], spec.train, COUNTS)


def test_mixing_to_the_end_has_the_mean_floor_of_its_replicas():
    found = floor({"recipe": "Mixup"})
    other = loss_floor([30, 20, 10], batch_size=15)
    assert found.value == pytest.approx((other + BALANCED) / 2, abs=1e-15)
    assert floor({"recipe": {"Mixup": {"alpha": 0.2}}}).value < found.value
    assert floor({"recipe": {"ManifoldMixup": {"alpha": 1.0}}}).value == found.value
    assert floor({"recipe": "Mixup", "schedule": {"off_at": 8}}).value == found.value


@pytest.mark.parametrize(
    ("condition", "train", "why"),
    [
        ({"recipe": "NoMixup"}, {}, "nothing is mixed"),
        ({"recipe": "Mixup", "schedule": "never"}, {}, "nothing is mixed"),
        ({"recipe": "Mixup", "schedule": {"off_at": 4}}, {}, "mixing does not last to the end"),
        ({"recipe": "Mixup", "schedule": {"auto": {"holdout": 0.2}}}, {}, "mixing does not last to the end"),
        ({"recipe": "Mixup"}, {"objective": "squared_error"}, "no floor above 0"),
        # Their labels differ more or less often than those of random pairs, or something else enters the loss.
        ({"recipe": {"SelectiveMixup": {"label": "different"}}}, {}, "SelectiveMixup has its own pairing"),
        ({"recipe": {"SelectiveMixup": {"label": "same"}}}, {}, "no closed form"),
        ({"recipe": "RegMixup"}, {}, "RegMixup has its own pairing, weights or loss"),
        ({"recipe": "MixupWithoutHesitation"}, {}, "no closed form"),
        ({"recipe": "CutMix"}, {}, "no closed form"),
        ({"recipe": "CMixup"}, {}, "no closed form"),
    ],
)
def test_where_a_line_would_be_wrong_there_is_none(condition, train, why):
    found = floor(condition, **train)
    assert found.value is None
    assert why in found.why


def test_the_floor_is_the_entropy_of_the_labels_that_training_is_given():
    """A million mixtures in permuted batches, against the closed form."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [30, 20, 10])
    losses = []
    for _ in range(20_000):
        batch = rng.permutation(60)[:15]
        lam = rng.beta(0.5, 0.5)
        entropy = -lam * np.log(lam) - (1 - lam) * np.log(1 - lam) if 0 < lam < 1 else 0.0
        losses.append(entropy * np.mean(y[batch] != y[rng.permutation(batch)]))
    spec = parse_study({"compare": [{"recipe": {"Mixup": {"alpha": 0.5}}}], "train": {"batch_size": 15}})
    exact = condition_floor(spec.compare[0], spec.train, [[30, 20, 10]]).value
    assert np.mean(losses) == pytest.approx(exact, abs=4 * np.std(losses) / np.sqrt(len(losses)))


def test_without_a_closed_form_the_labels_that_were_trained_on_say_it(tmp_path, tiny, in_process):
    compare = [{"name": "CutMix", "recipe": {"CutMix": {"alpha": 1.0}}}, {"name": "Mixup", "recipe": "Mixup"}]
    spec = tiny(compare=compare, seeds=2)
    assert [row["floor"] is None for row in study_floors(spec)] == [True, False]
    summary = run_study(spec, tmp_path / "run")
    curves = load_result(tmp_path / "run").curves
    own = curves.filter(curves["condition"] == "CutMix")
    assert summary.floor["CutMix"] == pytest.approx(own["mix_floor"].mean())
    assert (own["mix_loss"] > own["mix_floor"]).all()
    # The closed form is the mean of what is drawn.
    drawn = curves.filter(curves["condition"] == "Mixup")["mix_floor"]
    assert summary.floor["Mixup"] == pytest.approx(drawn.mean(), abs=4 * drawn.std() / len(drawn) ** 0.5)


def test_floors_before_a_study_is_run():
    spec = parse_study(
        {
            "data": {"name": "digits", "train_size": 60, "balanced": True},
            "train": {"epochs": 2, "batch_size": 20},
            "compare": [{"name": "whole"}, {"name": "half", "data": {"train_size": 30}}],
            "seeds": 2,
        }
    )
    whole, half = study_floors(spec)
    assert whole["class_counts"] == [[6] * 10] * 2
    assert whole["floor"] == pytest.approx(0.5 * (60 - 6) / 59 * (1 - 1 / 20))
    assert half["floor"] == pytest.approx(0.5 * (30 - 3) / 29 * (1 - 1 / 20))
