import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from overmix.errors import ConfigError
from overmix.study import parse_study, run_study
from overmix.study.analyse.unequal import class_weights


def test_weighted_errors_average_to_the_balanced_error():
    rng = np.random.default_rng(0)
    truth, said = rng.choice(3, 200, p=[0.8, 0.15, 0.05]), rng.integers(0, 3, 200)
    error = ((truth != said) * class_weights(truth)).mean()
    assert error == pytest.approx(1 - balanced_accuracy_score(truth, said))


@pytest.fixture
def unequal(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], [160, 40]))
    np.savez(tmp_path / "unequal.npz", x=rng.normal(size=(200, 4)).astype(np.float32) + y[:, None], y=y)
    compare = [{"name": "ERM", "recipe": "NoMixup"}, {"name": "Mixup"}]
    data = {"name": "npz", "path": str(tmp_path / "unequal.npz")}
    train = {"epochs": 2, "batch_size": 32}
    return {"data": data, "model": {"hidden": [4]}, "train": train, "compare": compare, "seeds": 2}


def test_the_baseline_and_the_balanced_error_stand_beside_the_error_and_may_decide(unequal, tmp_path, in_process):
    plain = run_study(parse_study(unequal), tmp_path / "run")
    assert (plain.majority, plain.unequal, plain.metric) == (pytest.approx(0.2), True, "error")
    judged = run_study(
        parse_study(unequal | {"metric": "balanced_error"}), tmp_path / "run"
    )  # nothing is trained again
    for before, after in zip(plain.conditions, judged.conditions, strict=True):
        assert after.final.value == pytest.approx(before.balanced.value, abs=1e-6)
        assert after.balanced == before.balanced


def test_values_have_no_balanced_error(unequal, tmp_path, in_process):
    data = unequal["data"] | {"labels": "values"}
    compare = [{"name": "CMixup", "recipe": "CMixup"}]
    with pytest.raises(ConfigError, match="metric"):
        run_study(
            parse_study(unequal | {"data": data, "compare": compare, "metric": "balanced_error"}), tmp_path / "run"
        )
