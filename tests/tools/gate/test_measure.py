"""The gate, with datasets and frameworks as they are: the fast part of the table that python -m tools.gate makes."""

import pytest
import torch

from tools.gate.measure import Setting, kept_iterator, measure, plain_flag
from tools.gate.samples import DATASETS, N

PASSES = 4

pytest.importorskip("torchvision")


@pytest.mark.parametrize("dataset", DATASETS.values())
def test_a_sample_shows_what_the_gate_said(dataset):
    data = dataset(None)
    assert not any(torch.equal(data.gated(index), data.images[index]) for index in range(N))
    assert all(torch.equal(data.gated(index), data.gated(index)) for index in range(N))


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("framework", ["plain loop", "Lightning", "transformers"])
@pytest.mark.parametrize(("workers", "persistent"), [(0, False), (2, True)])
def test_every_sample_is_right(framework, dataset, workers, persistent):
    if framework != "plain loop":
        pytest.importorskip(framework.lower())
    setting = Setting(framework, dataset, workers, "fork" if workers else "", persistent)
    assert measure(setting) == {"samples": N * PASSES, "right": N * PASSES}


@pytest.mark.slow
def test_every_sample_is_right_in_spawned_workers():
    assert measure(Setting("plain loop", "mosaic", 2, "spawn", True))["right"] == N * PASSES


def test_what_the_gate_is_there_for():
    flag = plain_flag()
    assert flag["samples"] == N * PASSES
    assert flag["right"] == N * PASSES // 2  # those that are to be changed
    kept = kept_iterator()
    assert kept["samples"] == kept["right"] == N // 2
    assert "samples were made with the gate on, it is off" in kept["error"]
