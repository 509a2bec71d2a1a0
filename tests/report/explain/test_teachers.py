import numpy as np
import pytest
import torch

from overmix.errors import ConfigError
from overmix.explain import LabelNoise, label_noise
from overmix.report.explain.noise import draw_mixtures, explain_noise
from overmix.report.explain.teachers import default_model, trained_panel, unseen_probabilities
from overmix.study.data.dataset import Dataset


def random_labels(pool, test, seed=0):
    """Samples whose labels nothing but memory can tell."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(pool + test, 30, generator=generator)
    y = torch.randint(2, (pool + test,), generator=generator)
    return Dataset("random", x[:pool], y[:pool], x[pool:], y[pool:], num_classes=2)


@pytest.mark.parametrize(("pool", "test", "teachers"), [(120, 20, 10), (400, 20, 3)])
def test_teachers_never_saw_what_they_judge(pool, test, teachers):
    """Labels without meaning are known by those who saw them and by nobody else, in both ways of making teachers."""
    panel = trained_panel(random_labels(pool, test), samples=120, model="mlp", epochs=40)
    assert len(panel.teachers) == teachers
    assert panel.saw.any() == (teachers == 10)
    assert 0.35 < panel.error < 0.65
    for teacher, seen in zip(panel.teachers, panel.saw, strict=True):
        right = (teacher(panel.x).argmax(1) == panel.y).numpy()
        if seen.any():
            assert right[seen].mean() > 0.85
        assert right[~seen].mean() < 0.75


def test_calibration_makes_teachers_of_meaningless_labels_unsure():
    panel = trained_panel(random_labels(120, 20), samples=120, model="mlp", epochs=40)
    unseen = unseen_probabilities(panel.teachers, panel.saw, panel.x)
    assert unseen.max(axis=1).mean() < 0.75
    assert panel.cross_entropy < 0.8  # ln 2 would be that of a coin


def test_too_few_samples_for_the_folds_are_refused():
    with pytest.raises(ConfigError, match="samples = 4: use at least 5"):
        trained_panel(random_labels(20, 5), samples=4)


def test_models_by_the_shape_of_samples():
    assert [default_model(shape) for shape in [(5,), (1, 8, 8), (1, 28, 28), (1, 40), (3, 32, 32), (3, 8, 8)]] == [
        "mlp", "mlp", "mlp", "convnet", "convnet", "mlp",
    ]  # fmt: skip


def test_mixtures_are_of_different_samples_with_the_nearer_one_first():
    own, other, weight = draw_mixtures(3, 5000, alpha=1.0, lam=None, rng=np.random.default_rng(0))
    assert np.all(own != other)
    assert (weight.min() >= 0.5, weight.max() <= 1.0) == (True, True)
    assert weight.mean() == pytest.approx(0.75, abs=0.01)
    pairs, counts = np.unique(np.stack([own, other]), axis=1, return_counts=True)
    assert pairs.shape[1] == 6
    assert counts.min() > 700


def test_naming_the_heavier_sample_first_changes_nothing():
    x, y = torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1])

    def teacher(inputs):
        return torch.softmax(torch.stack([-inputs[:, 0], inputs[:, 0] + 0.3], dim=1), dim=1)

    def measure(own, other, lam) -> LabelNoise:
        index, partner = torch.tensor([own]), torch.tensor([other])
        return label_noise(teacher, x, y, partner, torch.tensor([lam], dtype=torch.float64), index=index)

    first, second = measure(0, 1, 0.3), measure(1, 0, 0.7)
    for column in ("tv", "bound", "independent", "argmax_disagrees", "third_class"):
        assert getattr(first, column) == pytest.approx(getattr(second, column), abs=1e-6)


def test_the_same_seed_gives_the_same_numbers():
    data = random_labels(60, 10)
    first, again, other = (
        explain_noise(data, samples=60, mixtures=200, epochs=3, draws=50, seed=seed).summary for seed in (0, 0, 1)
    )
    assert first == again
    assert first["overall"] != other["overall"]
