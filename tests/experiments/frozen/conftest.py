"""A record of a small training, made once."""

import numpy as np
import pytest

from overmix.experiments.switch_benchmark.frozen import data as data_of
from overmix.experiments.switch_benchmark.frozen.record import record, record_file
from overmix.experiments.switch_benchmark.frozen.trainings import Training

TINY = Training("toy", 24, 10, 16, "mlp", "Mixup1", "sgd", seeds=2, batch_size=12)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """Return the training, its folder, and the record's arrays."""
    folder = tmp_path_factory.mktemp("frozen")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3)).astype(np.float32)
    y = (x[:, 0] + 0.5 * rng.normal(size=90) > 0).astype(np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data_of.DATA, "toy", lambda: (x, y))
        content = record(TINY, folder)
    record_file(folder, TINY).write_bytes(content)
    with np.load(record_file(folder, TINY), allow_pickle=False) as arrays:
        return TINY, folder, {name: arrays[name] for name in arrays.files}
