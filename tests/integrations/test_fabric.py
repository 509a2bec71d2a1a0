import pytest
import torch
from lightning.fabric import Fabric
from torch.utils.data import DataLoader, DistributedSampler

import overmix
from overmix.errors import ConfigError
from overmix.integrations.fabric import counter
from tools.conformance.task import EPOCHS, SWITCHES

SAMPLES = range(8)


def sampler():
    return DistributedSampler(SAMPLES, num_replicas=1, rank=0, shuffle=True, seed=1)


def orders(*, counted):
    """Return the samples of each epoch of a run that probes and goes back, as they are in what remains of it."""
    loader = DataLoader(SAMPLES, len(SAMPLES), sampler=sampler())
    loader = Fabric(accelerator="cpu").setup_dataloaders(loader, use_distributed_sampler=False)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    state = {"model": model, "optimizer": optimizer}
    if counted:
        state["order"] = counter(loader)
    seen = {}
    for epoch in overmix.Epochs(EPOCHS, switch=SWITCHES["goes back"], state=state):
        (batch,) = loader
        optimizer.step()
        if epoch.kind != "probe":
            seen[epoch.index] = batch.tolist()
        epoch.observe(scores=torch.zeros(4))
    return [seen[index] for index in range(EPOCHS)]


def expected():
    told, by_epoch = sampler(), []
    for index in range(EPOCHS):
        told.set_epoch(index)
        by_epoch.append(list(told))
    return by_epoch


def test_the_order_of_a_distributed_sampler_goes_back_with_its_counter():
    assert orders(counted=True) == expected()


def test_without_its_counter_all_orders_after_a_probe_are_others():
    shifted = [
        index for index, (one, other) in enumerate(zip(orders(counted=False), expected(), strict=True)) if one != other
    ]
    assert shifted == list(range(2, EPOCHS))


def test_other_loaders_have_no_counter():
    with pytest.raises(ConfigError, match=r"the loader that fabric\.setup_dataloaders returned"):
        counter(DataLoader(SAMPLES))
