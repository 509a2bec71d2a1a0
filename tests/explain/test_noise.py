import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from overmix.errors import ConfigError, DataError
from overmix.explain.noise import label_noise, measure_mixtures, total_variation


def linear_teacher(x):
    """A class distribution that is linear in its input: Mixup's labels are exact under it."""
    p = 0.5 + 0.4 * x[:, :1]
    return torch.cat([p, 1 - p], 1)


def curved_teacher(x):
    return torch.softmax(3 * torch.stack([x[:, 0], x[:, 1], -(x**2).sum(1)], 1), 1)


def mixtures(n=40, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(n, 2, generator=g, dtype=torch.float64) - 1
    return x, curved_teacher(x).argmax(1), torch.randperm(n, generator=g), torch.rand(n, generator=g).double()


@pytest.mark.parametrize("num_classes", [2, 3, 4, 5])
def test_total_variation_is_at_least_the_largest_difference(num_classes):
    p, q = np.random.default_rng(num_classes).dirichlet(np.ones(num_classes), size=(2, 25_000))
    tv = total_variation(torch.from_numpy(p), torch.from_numpy(q)).numpy()
    assert np.all(tv >= np.abs(p - q).max(1) - 1e-15)
    if num_classes == 2:
        np.testing.assert_allclose(tv, np.abs(p - q).max(1), atol=1e-15)


def test_argmax_labels_can_agree_where_sampled_labels_cannot():
    """The counter-example to the bound for argmax labels: truth (.9, .1) against the label law (.6, .4)."""

    def teacher(x):
        return tensor([[0.9, 0.1]], dtype=torch.float64).expand(len(x), 2)

    x, y = torch.zeros(2, 1), tensor([0, 1])
    noise = label_noise(teacher, x, y, partner=tensor([1, 0]), lam=tensor([0.6, 0.4], dtype=torch.float64))
    np.testing.assert_allclose(noise.tv, 0.3, atol=1e-12)
    assert noise.argmax_disagrees.tolist() == [False, False]
    np.testing.assert_allclose(noise.independent, 1 - 0.6 * 0.9 - 0.4 * 0.1, atol=1e-12)


def test_every_coupling_of_sampled_labels_disagrees_at_least_as_often_as_the_distance():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(4), size=2)
    tv = total_variation(torch.from_numpy(p), torch.from_numpy(q)).item()
    uniform = rng.uniform(size=(2, 200_000))
    independent = np.mean(np.searchsorted(p.cumsum(), uniform[0]) != np.searchsorted(q.cumsum(), uniform[1]))
    monotone = np.mean(np.searchsorted(p.cumsum(), uniform[0]) != np.searchsorted(q.cumsum(), uniform[0]))
    assert independent == pytest.approx(1 - p @ q, abs=5e-3)  # 2e5 draws: error 1e-3
    assert min(independent, monotone) >= tv - 5e-3


@given(st.integers(0, 2**31))
def test_the_three_rates_are_ordered(seed):
    x, y, partner, lam = mixtures(seed=seed)
    for law in ("labels", "teacher"):
        noise = label_noise(curved_teacher, x, y, partner, lam, law=law)
        assert np.all(noise.bound <= noise.tv + 1e-12)
        assert np.all(noise.tv <= noise.independent + 1e-12)


def test_columns_agree_with_a_loop_over_mixtures():
    x, y, partner, lam = mixtures()
    noise = label_noise(curved_teacher, x, y, partner, lam, law="teacher", chunk_size=7)
    f = [curved_teacher(row[None])[0].numpy() for row in x]
    for i, (j, weight) in enumerate(zip(partner.tolist(), lam.tolist(), strict=True)):
        truth = curved_teacher((weight * x[i] + (1 - weight) * x[j])[None])[0].numpy()
        law = weight * f[i] + (1 - weight) * f[j]
        assert noise.tv[i] == pytest.approx(0.5 * np.abs(truth - law).sum(), abs=1e-12)
        assert noise.bound[i] == pytest.approx(np.abs(truth - law).max(), abs=1e-12)
        assert noise.argmax_disagrees[i] == (truth.argmax() != law.argmax())
        assert noise.third_class[i] == (truth.argmax() not in (y[i], y[j]))


def test_a_linear_truth_has_no_noise():
    x, _, partner, lam = mixtures()
    noise = label_noise(linear_teacher, x, torch.zeros(40, dtype=torch.long), partner, lam, law="teacher")
    np.testing.assert_allclose(noise.tv, 0, atol=1e-15)


def test_unmixed_samples_with_certain_labels_are_clean():
    x, y, _, lam = mixtures()
    noise = label_noise(
        lambda z: torch.nn.functional.one_hot(curved_teacher(z).argmax(1), 3).double(), x, y, torch.arange(40), lam
    )
    np.testing.assert_allclose(noise.tv, 0, atol=1e-15)
    assert not noise.argmax_disagrees.any()
    assert not noise.third_class.any()


def test_a_tie_of_the_label_law_is_no_disagreement():
    def teacher(x):
        return tensor([[0.2, 0.8]]).expand(len(x), 2)

    noise = label_noise(teacher, torch.zeros(1, 1), tensor([0]), tensor([0]), tensor([0.5]))
    assert noise.argmax_disagrees.tolist() == [True]  # both labels are class 0: not a tie
    noise = label_noise(teacher, torch.zeros(2, 1), tensor([0, 1]), tensor([1, 0]), tensor([0.5, 0.5]))
    assert noise.argmax_disagrees.tolist() == [False, False]


def test_pixels_are_mixed_in_floating_point():
    seen = []

    def teacher(x):
        seen.append(x.clone())
        return torch.full((len(x), 2), 0.5)

    x = tensor([[0], [255]], dtype=torch.uint8)
    label_noise(teacher, x, tensor([0, 1]), tensor([1, 0]), tensor([0.5, 0.25]))
    np.testing.assert_allclose(seen[0].numpy(), [[127.5], [63.75]])


def test_mixtures_may_outnumber_the_samples():
    x, y, _, _ = mixtures(n=3)
    index, partner = tensor([0, 0, 1, 2]), tensor([1, 2, 2, 0])
    noise = label_noise(curved_teacher, x, y, partner, torch.full((4,), 0.5), index=index)
    assert len(noise) == 4
    assert noise.index.tolist() == [0, 0, 1, 2]
    assert noise.a.tolist() == y[index].tolist()


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (lambda x: torch.full((len(x), 3), 2.0), "apply softmax"),
        (lambda x: tensor([[1.5, -0.5, 0.0]]).expand(len(x), 3), "apply softmax"),
        (lambda x: torch.full((len(x), 3), float("nan")), "not finite"),
        (lambda x: torch.full((len(x),), 0.5), "classes"),
        (lambda x: torch.full((len(x), 2), 0.5), "teacher knows 2 classes"),
    ],
)
def test_a_teacher_that_gives_no_probabilities_is_refused(teacher, message):
    x = torch.zeros(2, 1)
    with pytest.raises(DataError, match=message):
        label_noise(teacher, x, tensor([0, 2]), tensor([1, 0]), tensor([0.5, 0.5]))


def test_misfitting_arguments_are_named():
    x, y, partner, lam = mixtures()
    with pytest.raises(DataError, match="give index"):
        label_noise(curved_teacher, x, y, partner[:3], lam[:3])
    with pytest.raises(ConfigError, match="law"):
        label_noise(curved_teacher, x, y, partner, lam, law="truth")
    with pytest.raises(ConfigError, match="chunk_size"):
        label_noise(curved_teacher, x, y, partner, lam, chunk_size=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lam": tensor([0.5, 2.0])}, "lam has 2.0: use weights from 0 to 1"),
        ({"lam": tensor([0.5, float("nan")])}, "lam has nan: use weights from 0 to 1"),
        ({"y": tensor([0, -1])}, "label -1 is negative: use classes from 0 on"),
        ({"partner": tensor([1, 2])}, "partner has 2: use positions from 0 to 1"),
        ({"index": tensor([-1, 0])}, "index has -1: use positions from 0 to 1"),
        ({"x": tensor([[0.0], [float("nan")]])}, "x holds values that are not finite"),
        ({"teacher": lambda x: torch.full((len(x), 2), float("nan"))}, "the teacher returned values that are not fin"),
    ],
)
def test_what_cannot_be_measured_is_told(change, message):
    given = {"teacher": linear_teacher, "x": tensor([[0.0], [1.0]]), "y": tensor([0, 1]), "partner": tensor([1, 0])}
    with pytest.raises(DataError, match=f"^{message}"):
        label_noise(**(given | {"lam": tensor([0.5, 0.5])} | change))


def test_one_label_per_sample():
    x, pair = torch.zeros(2, 1), tensor([1, 0])
    with pytest.raises(DataError, match=r"^1 labels for 2 samples: give one label each$"):
        measure_mixtures(lambda x, _: linear_teacher(x), x, tensor([0]), pair, tensor([0.5, 0.5]), None, "labels", 8)
