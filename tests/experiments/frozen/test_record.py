"""A record of a small training, whose parts agree with the engine's own runs."""

import numpy as np
import torch

from overmix.experiments.switch_benchmark.frozen.record import END_METRICS, packed
from overmix.experiments.switch_benchmark.frozen.setup import Settings, Setup


def test_a_switched_run_is_the_engines_own(recorded):
    tiny, folder, arrays = recorded
    run = Setup(tiny, folder / "data").stack(Settings(*arrays["settings"].tolist()), {"off_at": 4})
    result = run.train()
    curve = np.stack([result.metrics[name] for name in END_METRICS]).astype(np.float16)
    np.testing.assert_array_equal(arrays["off at 4: curve"], curve)
    np.testing.assert_array_equal(arrays["off at 4: wrong"], result.wrong[:, -1])
    np.testing.assert_array_equal(arrays["off at 4: val logits"], packed(run.evaluator.val_outputs(run.model)))


def test_fade_goes_on_from_the_run_that_mixes(recorded):
    tiny, folder, arrays = recorded
    result = Setup(tiny, folder / "data").stack(Settings(*arrays["settings"].tolist()), "fade").train()
    np.testing.assert_array_equal(arrays["fade: wrong"], result.wrong[:, -1])


def test_probes_are_the_engines_own_and_leave_no_trace(recorded):
    tiny, folder, arrays = recorded
    training = Setup(tiny, folder / "data").stack(Settings(*arrays["settings"].tolist()), "always")
    probes = []

    def probe(now):
        if now.step == 0 and now.epoch == 4:
            probes.append(now.probe(2).astype(np.float16))

    result = training.train(after_step=probe)
    at = tiny.switch_epochs.index(4)
    np.testing.assert_array_equal(arrays["tail 0.02: val brier"][:, at], probes[0])
    np.testing.assert_array_equal(arrays["Mixup: wrong"], result.wrong[:, -1])
    assert (arrays["tail 0.02: val brier"] != arrays["mixed tail 0.02: val brier"]).any()


def test_logits_keep_a_sixteenth_of_a_nat():
    logits = torch.randn(3, 50, 7) * 4
    below = packed(logits).astype(float) / 16
    exact = (logits.amax(-1, keepdim=True) - logits).clamp(max=15.9).numpy()
    assert np.abs(np.minimum(below, 15.9) - exact).max() <= 1 / 16 + 1e-6
    assert (below.argmin(-1) == logits.argmax(-1).numpy()).all()
