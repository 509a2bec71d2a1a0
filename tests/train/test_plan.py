import numpy as np
import pytest
import torch

import overmix
from overmix.mix import Streams
from overmix.switch import Epochs, Progress, Schedule
from overmix.train.plan import Planner
from overmix.train.resident import Labels

EPOCHS, BATCH, STEPS = 4, 12, 3
POOL = 120


class Half(Schedule):
    def probability(self, progress: Progress) -> float:
        return 0.5


class Sometimes:
    """Mixes in the first and the last epoch only."""

    def probability(self, progress: Progress) -> float:
        return float(progress.epoch in (0, progress.epochs - 1))


def planner(replicas, y=None, batch_size=BATCH, epochs=EPOCHS):
    y = torch.arange(POOL) if y is None else y
    return Planner(replicas, Labels(y), (6,), epochs, batch_size, torch.device("cpu"))


def assert_same(one, other, r=0, s=0):
    """Compare replica r of one plan with replica s of another, bit for bit."""
    for name in ("index", "partner", "lam", "dropout_keys"):
        assert torch.equal(getattr(one, name)[:, r], getattr(other, name)[:, s]), name
    assert one.mixing[r] == other.mixing[s]
    assert np.array_equal(one.seeds[:, r], other.seeds[:, s])


def test_an_epoch_visits_the_subset_once_in_a_new_order(replica):
    runs = [replica(0), replica(1)]
    plans = [planner(runs).epoch(epoch) for epoch in range(EPOCHS)]
    for plan in plans:
        assert plan.index.shape == plan.partner.shape == plan.lam.shape == (STEPS, 2, BATCH)
        for r, run in enumerate(runs):
            visited = plan.index[:, r].flatten().tolist()
            assert len(set(visited)) == STEPS * BATCH  # 40 // 12 batches: four samples wait for the next epoch
            assert set(visited) < set(run.train_index.tolist())
    orders = {tuple(plan.index[:, r].flatten().tolist()) for plan in plans for r in range(2)}
    assert len(orders) == 2 * EPOCHS
    left_out = {frozenset(runs[0].train_index.tolist()) - set(plan.index[:, 0].flatten().tolist()) for plan in plans}
    assert len(left_out) > 1


def test_partners_are_a_permutation_of_the_own_batch(replica):
    plan = planner([replica(0), replica(1)]).epoch(1)
    itself = torch.arange(BATCH).expand_as(plan.partner)
    assert torch.equal(plan.partner.sort(-1).values, itself)
    assert not torch.equal(plan.partner, itself)
    assert bool((plan.lam == plan.lam[..., :1]).all())  # one lam per batch and replica ...
    assert plan.lam[..., 0].unique().numel() == STEPS * 2  # ... of its own


@pytest.mark.parametrize("other", [{"recipe": overmix.NoMixup()}, {"schedule": overmix.never()}], ids=["ERM", "never"])
def test_twins_share_order_and_dropout(replica, other):
    plan = planner([replica(0), replica(0, **other)]).epoch(2)
    for name in ("index", "dropout_keys"):
        assert torch.equal(getattr(plan, name)[:, 0], getattr(plan, name)[:, 1])
    assert bool((plan.lam[:, 1] == 1).all())
    assert torch.equal(plan.partner[:, 1], torch.arange(BATCH).expand(STEPS, -1))


def test_streams_go_on_while_mixing_is_off(replica):
    always, sometimes = planner([replica(0)]), planner([replica(0, schedule=Sometimes())])
    for epoch, mixed in enumerate([True, False, False, True]):
        one, other = always.epoch(epoch), sometimes.epoch(epoch)
        assert torch.equal(one.index, other.index)
        assert other.mixing.tolist() == [float(mixed)]
        assert other.mixed.tolist() == [[mixed]] * STEPS
        if mixed:
            assert_same(one, other)


def test_a_plan_does_not_depend_on_what_was_planned_before_or_on_the_other_replicas(replica):
    runs = [replica(0), replica(1, recipe=overmix.Mixup(per="sample")), replica(2, schedule=Half())]
    together = planner(runs)
    plans = [together.epoch(epoch) for epoch in range(EPOCHS)]
    for r, run in enumerate(runs):
        alone = planner([run])
        for epoch in reversed(range(EPOCHS)):
            assert_same(plans[epoch], alone.epoch(epoch), r)


def test_steps_that_no_replica_mixes_are_known_beforehand(replica):
    runs = [replica(0, schedule=Half()), replica(1, schedule=overmix.off_at(2))]
    for epoch in range(EPOCHS):
        plan = planner(runs).epoch(epoch)
        mixed = (plan.lam < 1).any(-1)
        assert plan.mixed.tolist() == mixed.tolist()
        assert plan.mixing.tolist() == pytest.approx(mixed.double().mean(0).tolist())


def test_dropout_keys_differ_between_steps_epochs_and_replicas(replica):
    own = planner([replica(0), replica(1)])
    plans = [own.epoch(epoch) for epoch in range(EPOCHS)]
    keys = [key for plan in plans for key in plan.dropout_keys.flatten().tolist()]
    assert len(set(keys)) == EPOCHS * STEPS * 2
    for plan in plans:
        assert np.array_equal(plan.seeds, plan.dropout_keys.numpy())


@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize(
    "schedule",
    [overmix.always(), overmix.off_at(2), overmix.off_at(0.25), Half()],
    ids=["always", "2 epochs", "a quarter", "half of the batches"],
)
@pytest.mark.parametrize(
    "recipe",
    [overmix.Mixup(alpha=1.0), overmix.Mixup(alpha=0.3, per="sample"), overmix.NoMixup()],
    ids=["Mixup", "Mixup per sample", "ERM"],
)
def test_a_users_loop_and_the_engine_mix_alike(replica, recipe, schedule, rank):
    # Two drivers, one truth: same seed, recipe and schedule give the same partners and lam to the last bit.
    seed = 5
    run = replica(seed, recipe=recipe, schedule=schedule, streams=Streams(replica_seed=seed, rank=rank))
    y, x = torch.arange(POOL), torch.rand(POOL, 6)  # every label unique, so that partners can be read
    engine = planner([run], y)
    loop = Epochs(EPOCHS, mix=recipe, switch=schedule, seed=seed, rank=rank)
    for epoch in loop:
        plan = engine.epoch(epoch.index)
        for step in range(STEPS):
            index = plan.index[step, 0]
            x_mixed, target = epoch.mix(x[index], y[index])
            assert torch.equal(target.a, y[index])
            assert torch.equal(target.b, y[index[plan.partner[step, 0]]])
            assert torch.equal(target.lam, plan.lam[step, 0])
            assert torch.equal(x_mixed, x[index[plan.partner[step, 0]]].lerp(x[index], plan.lam[step, 0, :, None]))
        assert epoch.mixing == pytest.approx(plan.mixing[0])
