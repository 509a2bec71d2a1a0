import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from overmix.recipes import Mixup


class MixInWorker:
    def __init__(self, generator=None):
        self.recipe, self.generator = Mixup(alpha=1.0), generator

    def __call__(self, samples):
        x, y = default_collate(samples)
        return self.recipe(x, y, generator=self.generator)


def plans_seen(workers, persistent, generator, epochs=3):
    """Labels are unique in a batch, so that partners and lam can be read from the targets."""
    data = [(torch.full((2,), float(i)), i) for i in range(16)]
    torch.manual_seed(1)
    loader = DataLoader(
        data, batch_size=8, num_workers=workers, persistent_workers=persistent, collate_fn=MixInWorker(generator)
    )
    seen = []
    for _ in range(epochs):
        for x, target in loader:
            shares = target.soft(16)
            torch.testing.assert_close(shares @ torch.arange(16.0), x[:, 0])
            seen.append((tuple(target.b.tolist()), float(target.lam[0])))
    return seen


@pytest.mark.parametrize("explicit", [False, True], ids=["default-generator", "explicit-generator"])
@pytest.mark.parametrize(("workers", "persistent"), [(0, False), (1, False), (1, True), (2, False), (2, True)])
def test_a_recipe_in_the_collate_function_never_repeats_a_plan(workers, persistent, explicit):
    generator = torch.Generator().manual_seed(3) if explicit else None
    seen = plans_seen(workers, persistent, generator)
    assert len({lam for _, lam in seen}) == len(seen) == 6
    generator = torch.Generator().manual_seed(3) if explicit else None
    assert plans_seen(workers, persistent, generator) == seen
