from inspect import unwrap

import numpy as np
import pytest
import torch

from overmix.errors import ConfigError, DataError
from overmix.explain.cross_fit import cross_fitted_label_noise, leave_two_folds_out
from overmix.explain.noise import label_noise


def constant_teacher(p):
    return lambda x: torch.tensor([[p, 1 - p]], dtype=torch.float64).expand(len(x), 2)


@pytest.mark.parametrize("num_folds", [3, 4, 5])
def test_every_pair_of_samples_has_a_teacher_that_saw_neither(num_folds):
    folds = np.arange(20) % num_folds
    saw = leave_two_folds_out(folds)
    assert saw.shape == (num_folds * (num_folds - 1) // 2, 20)
    unseen = (~saw).astype(int)
    judges = unseen.T @ unseen
    same = folds[:, None] == folds[None, :]
    assert np.all(judges[same] == num_folds - 1)
    assert np.all(judges[~same] == 1)


def test_only_teachers_that_saw_neither_sample_are_asked():
    rng = np.random.default_rng(0)
    n, teachers = 12, 6
    saw = leave_two_folds_out(np.arange(n) % 4)
    shares = rng.uniform(size=teachers)
    x, y = torch.zeros(n, 1), torch.zeros(n, dtype=torch.long)
    index, partner = (torch.from_numpy(side) for side in rng.integers(n, size=(2, 30)))
    noise = cross_fitted_label_noise(
        [constant_teacher(p) for p in shares], saw, x, y, partner, torch.full((30,), 0.5), index=index, chunk_size=8
    )
    for m in range(30):
        judges = [t for t in range(teachers) if not saw[t, index[m]] and not saw[t, partner[m]]]
        assert noise.tv[m] == pytest.approx(1 - shares[judges].mean(), abs=1e-12)  # both labels are class 0


def test_teachers_that_agree_give_what_one_of_them_gives():
    n = 9
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))

    def teacher(z):
        return torch.softmax(z, 1)

    arguments = (x, (x[:, 0] > 0).long(), torch.arange(n).roll(1), torch.linspace(0, 1, n))
    single = label_noise(teacher, *arguments, law="teacher")
    fitted = cross_fitted_label_noise([teacher] * 3, leave_two_folds_out(np.arange(n) % 3), *arguments, law="teacher")
    np.testing.assert_allclose(fitted.tv, single.tv, atol=1e-7)


def test_a_mixture_without_an_impartial_teacher_is_named():
    saw = np.array([[True, False], [False, True]])  # one fold left out of each: nobody can judge a mixture of the two
    with pytest.raises(DataError, match="mixture 0 of samples 0 and 1: every teacher saw one of them"):
        cross_fitted_label_noise(
            [constant_teacher(0.5)] * 2,
            saw,
            torch.zeros(2, 1),
            torch.zeros(2, dtype=torch.long),
            torch.tensor([1, 0]),
            torch.tensor([0.5, 0.5]),
        )


def test_misfitting_designs_are_refused():
    with pytest.raises(DataError, match="saw has shape"):
        unwrap(cross_fitted_label_noise)(  # users have no shape check before this one
            [constant_teacher(0.5)],
            np.zeros((1, 3), dtype=bool),
            torch.zeros(2, 1),
            torch.zeros(2, dtype=torch.long),
            torch.tensor([1, 0]),
            torch.tensor([0.5, 0.5]),
        )
    with pytest.raises(ConfigError, match="folds"):
        leave_two_folds_out(np.array([0, 1, 0]))
