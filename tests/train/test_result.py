import numpy as np

from overmix.train import METRICS, StackResult, diverged

INF, NAN = np.inf, np.nan


def test_what_is_not_finite_or_beyond_all_hope_has_diverged():
    mix_loss = np.array([0.0, 2.3, 13.8, 333.0, 1001.0, 1e30, INF, NAN, 1.0, 1.0])
    test_loss = np.array([0.0, 2.3, 500.0, 333.0, 1.0, 1.0, 1.0, 1.0, INF, NAN])
    assert diverged(mix_loss, test_loss).tolist() == [False] * 4 + [True] * 6


def test_the_last_look_decides():
    mix_loss = np.array([[NAN, 1.0], [1.0, NAN], [1.0, 1e6]])
    result = StackResult(
        epochs=np.array([1, 2]),
        metrics=dict.fromkeys(METRICS, np.ones((3, 2))),
        mix_loss=mix_loss,
        mix_floor=np.zeros((3, 2)),
        mixing=np.ones((3, 2)),
        lr=np.ones((3, 2)),
        wrong=np.zeros((3, 2, 1), dtype=np.uint8),
        n_test=3,
        steps_per_epoch=1,
    )
    assert result.diverged.tolist() == [False, True, True]
