import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from overmix import scores
from overmix.errors import ConfigError, DataError

G = np.random.default_rng(0)


def tensor(array):
    return torch.from_numpy(np.asarray(array)).float().requires_grad_()


def brier(z, y):
    return ((softmax(z) - np.eye(len(z))[y]) ** 2).sum()


def test_each_score_is_one_number_per_sample_by_its_equation(no_host_sync):
    z, y = G.normal(size=(5, 3)), G.integers(3, size=5)
    maps, labels = G.normal(size=(5, 3, 4, 2)), G.integers(3, size=(5, 4, 2))
    labels[0, :3], labels[1] = 255, 255
    rows, values = G.integers(2, size=(5, 3)), G.normal(size=(5, 3))
    with no_host_sync:
        found = {
            "classes": scores.multi_class(tensor(z), torch.from_numpy(y)),
            "rows": scores.multi_label(tensor(z), torch.from_numpy(rows).bool()),
            "one": scores.multi_label(tensor(z[:, 0]), torch.from_numpy(rows[:, 0])),
            "maps": scores.segmentation(tensor(maps), torch.from_numpy(labels), ignore_index=255),
            "values": scores.regression(tensor(z), torch.from_numpy(values)),
            "absolute": scores.regression(tensor(z[:, :1]), torch.from_numpy(values[:, 0]), "absolute"),
            "losses": scores.detection([{"a": tensor(a), "b": tensor([b])} for a, b in z[:, :2]]),
        }
    counted = [np.argwhere(image != 255) for image in labels]
    expected = {
        "classes": [brier(*pair) for pair in zip(z, y, strict=True)],
        "rows": ((expit(z) - rows) ** 2).mean(1),
        "one": (expit(z[:, 0]) - rows[:, 0]) ** 2,
        "maps": [
            np.mean([brier(m[:, i, j], image[i, j]) for i, j in at]) if len(at) else 0
            for m, image, at in zip(maps, labels, counted, strict=True)
        ],
        "values": ((z - values) ** 2).mean(1),
        "absolute": np.abs(z[:, 0] - values[:, 0]),
        "losses": z[:, :2].sum(1),
    }
    for name, score in found.items():
        assert score.shape == (5,)
        assert score.dtype == torch.float32
        assert not score.requires_grad
        np.testing.assert_allclose(score.numpy(), expected[name], rtol=1e-5, atol=1e-6)


def test_half_precision_is_scored_in_float32_and_a_diverged_sample_is_not_finite():
    z, y = torch.tensor([[0.0, 1.0], [torch.nan, 0.0]]).half(), torch.tensor([1, 1])
    for score in (scores.multi_class(z, y), scores.multi_label(z, torch.eye(2)), scores.regression(z, torch.eye(2))):
        assert score.dtype == torch.float32
        assert torch.isfinite(score).tolist() == [True, False]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scores.multi_class(torch.zeros(2, 3), torch.zeros(2, 3).long()), r"give \(N, C\) and \(N,\)"),
        (lambda: scores.multi_label(torch.zeros(2, 3), torch.zeros(2)), r"give one shape"),
        (lambda: scores.segmentation(torch.zeros(2, 3, 4), torch.zeros(2, 5)), r"give \(N, C, \.\.\.\) and"),
        (lambda: scores.regression(torch.zeros(2, 3), torch.zeros(2)), r"give one shape"),
        (lambda: scores.regression(torch.zeros(2), torch.zeros(2), "cubic"), r"^error = 'cubic'"),
        (lambda: scores.detection([]), r"no losses"),
        (lambda: scores.detection([torch.zeros(2)]), r"one number for each term"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, message, unchecked_shapes):
    with pytest.raises((DataError, ConfigError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
