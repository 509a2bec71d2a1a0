import gc
import json
import os
import subprocess
import sys
import weakref
from collections import namedtuple

import numpy as np
import pytest
import torch
import torch.distributed as dist

import overmix
from overmix.diagnose import scores
from overmix.errors import ConfigError, DataError, OvermixError
from overmix.mix import MixedTarget
from overmix.switch import Epochs, Progress, Schedule

EPOCHS, STEPS, BATCH = 4, 3, 8


class Half(Schedule):
    """A user's own schedule: mixes every other batch, at random. Its repr shows an address in memory."""

    def probability(self, progress: Progress) -> float:
        return 0.5


def batch_at(epoch, step):
    """What a loader that obeys the epoch would hand out: every label unique, so that partners can be read."""
    generator = torch.Generator().manual_seed(100 * epoch + step)
    return torch.rand(BATCH, 5, generator=generator), torch.randperm(BATCH, generator=generator) + 10 * step


def held_out(epoch):
    generator = torch.Generator().manual_seed(epoch)
    return torch.randn(20, 3, generator=generator), torch.randint(3, (20,), generator=generator)


def drive(run, stop_after=None, state_of=None):
    """Drive a run to its end, or until (epoch, step) is done; return what it handed out, and the state saved there.

    ``step=None`` saves at the end of the body, as ``run.state_dict()`` is meant to be.
    """
    seen = {}
    for epoch in run:
        for step in range(epoch.step, STEPS):
            seen[epoch.index, step] = epoch.mix(*batch_at(epoch.index, step))
            if stop_after == (epoch.index, step):
                return seen, epoch.state_dict()
        epoch.observe(*held_out(epoch.index))
        if stop_after == (epoch.index, None):
            return seen, (state_of or run).state_dict()
    return seen, run.state_dict()


def make(seed=0, mix=None, switch=None, **settings):
    return Epochs(EPOCHS, mix=mix or overmix.Mixup(alpha=1.0), switch=switch or overmix.always(), seed=seed, **settings)


def assert_same(one, other):
    assert one.keys() == other.keys()
    for at, (x, target) in one.items():
        assert torch.equal(x, other[at][0])
        for side in ("a", "b", "lam"):
            assert torch.equal(getattr(target, side), getattr(other[at][1], side))


def mixed(seen):
    return {at for at, (_, target) in seen.items() if bool((target.lam < 1).any())}


def test_every_epoch_is_handed_out_once_in_order():
    run = make()
    epochs = [(epoch.index, epoch.kind, epoch.step) for epoch in run]
    assert epochs == [(e, "train", 0) for e in range(EPOCHS)]
    assert len(run) == EPOCHS
    assert list(run) == []


def test_without_a_switch_every_batch_is_mixed():
    seen, _ = drive(Epochs(EPOCHS, mix=overmix.Mixup()))
    assert mixed(seen) == set(seen)


def test_a_batch_is_mixed_as_its_target_says():
    for (epoch, step), (x_mixed, target) in drive(make())[0].items():
        x, y = batch_at(epoch, step)
        assert torch.equal(target.a, y)
        partner = (target.b[:, None] == y).nonzero()[:, 1]
        lam = target.lam[:, None]
        torch.testing.assert_close(x_mixed, lam * x + (1 - lam) * x[partner], rtol=1e-6, atol=1e-7)


def test_no_two_batches_share_their_plan():
    targets = [target for _, target in drive(make())[0].values()]
    assert len({float(target.lam[0]) for target in targets}) == EPOCHS * STEPS


def test_one_seed_gives_one_run_and_another_seed_another():
    assert_same(drive(make(seed=3))[0], drive(make(seed=3))[0])
    one, other = drive(make(seed=3))[0], drive(make(seed=4))[0]
    assert not any(torch.equal(one[at][1].lam, other[at][1].lam) for at in one)


def test_the_global_generators_are_neither_read_nor_moved():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    one = drive(make())[0]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    torch.manual_seed(5)
    assert_same(one, drive(make())[0])


@pytest.mark.parametrize("switch", [overmix.off_at(2), overmix.off_at(0.5), Half()])
def test_twins_a_batch_that_both_mix_is_mixed_alike(switch):
    everything, some = drive(make())[0], drive(make(switch=switch))[0]
    both = mixed(some)
    assert 0 < len(both) < len(everything)
    assert_same({at: everything[at] for at in both}, {at: some[at] for at in both})


def test_the_switch_shows_in_the_batches():
    run = make(switch=overmix.off_at(2))
    seen, _ = drive(run)
    assert mixed(seen) == {(epoch, step) for epoch in (0, 1) for step in range(STEPS)}
    assert [observation.mixing for observation in run.history] == [1.0, 1.0, 0.0, 0.0]
    for epoch in (2, 3):
        x, target = seen[epoch, 0]
        assert torch.equal(x, batch_at(epoch, 0)[0])
        assert torch.equal(target.a, target.b)
        assert torch.equal(target.soft(40).amax(1), torch.ones(BATCH))


Pair = namedtuple("Pair", ["image", "extra"])


@pytest.mark.parametrize(
    "x",
    [
        torch.rand(4, 3, dtype=torch.float64),
        torch.rand(4, 3).half(),
        torch.randint(256, (4, 1, 2, 2), dtype=torch.uint8),
        (torch.rand(4, 3), [torch.rand(4)]),
        {"image": torch.rand(4, 3), "extra": torch.rand(4, 2, 2)},
        Pair(torch.rand(4, 3), torch.rand(4)),
    ],
    ids=lambda x: type(x).__name__ + str(getattr(x, "dtype", "")),
)
@pytest.mark.parametrize("y", [torch.arange(4), torch.rand(4, 3)], ids=["index", "soft"])
def test_off_or_on_the_types_are_the_same_and_the_batch_is_untouched(x, y):
    def structure(value):
        if isinstance(value, torch.Tensor):
            return value.dtype, tuple(value.shape)
        if isinstance(value, dict):
            return dict, {key: structure(v) for key, v in value.items()}
        if isinstance(value, MixedTarget):
            return MixedTarget, structure([value.a, value.b, value.lam])
        return type(value), [structure(v) for v in value]

    def copied(value):
        return torch.utils._pytree.tree_map(torch.clone, value)

    kept = copied(x)
    on, off = (next(iter(make(switch=switch))).mix(x, y) for switch in (overmix.always(), overmix.never()))
    assert structure(list(on)) == structure(list(off))
    torch.testing.assert_close(copied(x), kept, rtol=0, atol=0)


SAVES = [(epoch, step) for epoch in range(EPOCHS) for step in [*range(STEPS), None]]


@pytest.mark.parametrize("switch", [overmix.off_at(2), Half()], ids=["off_at", "half"])
@pytest.mark.parametrize("at", SAVES, ids=str)
def test_a_run_saved_anywhere_goes_on_as_if_it_had_never_stopped(at, switch):
    whole_run = make(switch=switch)
    whole, end = drive(whole_run)
    before, state = drive(make(switch=switch), stop_after=at)
    resumed = make(switch=type(switch)(**getattr(switch, "__dict__", {})))
    resumed.load_state_dict(json.loads(json.dumps(state)))
    after, resumed_end = drive(resumed)
    assert not before.keys() & after.keys()
    assert_same(whole, before | after)
    assert resumed.history == whole_run.history
    assert resumed_end == end


def test_a_state_of_the_epoch_at_the_end_of_its_body_lets_it_observe_once():
    # epoch.state_dict() where run.state_dict() is meant: the epoch is entered again, with nothing left to mix.
    run, states = make(), []
    for epoch in run:
        for step in range(STEPS):
            epoch.mix(*batch_at(epoch.index, step))
        epoch.observe(*held_out(epoch.index))
        states.append(epoch.state_dict())
    resumed = make()
    resumed.load_state_dict(states[1])
    drive(resumed)
    assert resumed.history == run.history


def test_an_epoch_left_by_break_is_done_and_its_observation_kept():
    run = make()
    for epoch in run:
        epoch.observe(*held_out(epoch.index))
        if epoch.index == 1:
            break
    assert [seen.epoch for seen in run.history] == [0, 1]
    for epoch in run:
        epoch.observe(*held_out(epoch.index))
    assert [seen.epoch for seen in run.history] == [0, 1, 2, 3]


def test_a_run_can_be_rewound_from_inside_its_loop():
    run, indices, start = make(), [], None
    for epoch in run:
        indices.append(epoch.index)
        epoch.observe(*held_out(epoch.index))
        if epoch.index == 0:
            start = run.state_dict()
        if len(indices) == 3:
            run.load_state_dict(start)
    assert indices == [0, 1, 2, 1, 2, 3]
    assert [seen.epoch for seen in run.history] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"epochs": 5}, r"^epochs = 5: the saved run has 4: use the same settings$"),
        ({"mix": overmix.Mixup(alpha=0.5)}, r"^mix.alpha = '0.5': the saved run has '1.0'"),
        ({"switch": overmix.off_at(3)}, r"^switch = 'OffAt': the saved run has 'Always'"),
        ({"seed": 1}, r"^seed = 1: the saved run has 0"),
    ],
    ids=["epochs", "mix", "switch", "seed"],
)
def test_a_state_of_another_run_is_refused(other, message):
    state = make().state_dict()
    run = Epochs(**{"epochs": EPOCHS, "mix": overmix.Mixup(alpha=1.0), "seed": 0, **other})
    with pytest.raises(ConfigError, match=message):
        run.load_state_dict(state)


@pytest.mark.parametrize("version", [None, 6, "7"])
def test_a_state_of_another_format_is_refused(version):
    state = make().state_dict() | {"version": version}
    with pytest.raises(OvermixError, match=r"^state: version .* is not 7: start a new run$"):
        make().load_state_dict(state)


def test_a_schedule_whose_repr_is_an_address_is_recognised_in_another_process():
    assert " at 0x" in repr(Half())
    keep = Half()  # so that the second one lies elsewhere
    make(switch=Half()).load_state_dict(make(switch=keep).state_dict())


def test_ranks_draw_different_plans_and_share_one_state():
    runs = [make(rank=rank) for rank in (None, 0, 1)]
    default, zero, one = (drive(run)[0] for run in runs)
    assert_same(default, zero)
    assert not any(torch.equal(zero[at][1].lam, one[at][1].lam) for at in zero)
    make(rank=1).load_state_dict(make(rank=0).state_dict())


def test_the_rank_of_the_process_group_is_picked_up_even_if_the_group_is_younger(monkeypatch):
    early = make()
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_rank", lambda: 3)
    expected = drive(make(rank=3))[0]
    assert_same(drive(make())[0], expected)
    assert_same(drive(early)[0], expected)
    assert make(rank=0).streams.rank == 0


WORKER = """
import json, sys, torch, overmix
import torch.distributed as dist
rank, store = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=2)
epoch = next(iter(overmix.Epochs(2, mix=overmix.Mixup(), seed=0)))
_, target = epoch.mix(torch.rand(8, 2), torch.arange(8))
lams = [torch.zeros(8) for _ in range(2)]
dist.all_gather(lams, target.lam)
print(json.dumps([lam.tolist() for lam in lams]))
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_real_ranks_draw_different_plans(tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert answers[0] == answers[1]
    expected = [next(iter(make(rank=rank))).mix(torch.rand(8, 2), torch.arange(8))[1].lam.tolist() for rank in (0, 1)]
    assert answers[0] == expected
    assert expected[0] != expected[1]


def test_observations_are_the_scores_of_the_held_out_samples():
    run = make()
    drive(run)
    assert [seen.epoch for seen in run.history] == list(range(EPOCHS))
    for seen in run.history:
        mean = scores.finish(scores.sums(*held_out(seen.epoch))[0])
        assert seen.n == 20
        assert (seen.error, seen.cross_entropy, seen.brier, seen.ece) == tuple(float(value) for value in mean)


def test_observing_in_batches_is_observing_at_once():
    runs = []
    for sizes in ([20], [1, 12, 7]):
        run = Epochs(1, mix=overmix.Mixup())
        logits, labels = held_out(0)
        for epoch in run:
            for part in zip(logits.split(sizes), labels.split(sizes), strict=True):
                epoch.observe(*part)
        runs.append(run.history[0])
    once, batches = runs
    assert (once.n, once.error) == (batches.n, batches.error)
    assert [batches.cross_entropy, batches.brier, batches.ece] == pytest.approx(
        [once.cross_entropy, once.brier, once.ece], rel=1e-5
    )


def test_an_epoch_without_held_out_samples_leaves_no_entry():
    run = make()
    for epoch in run:
        epoch.mix(*batch_at(epoch.index, 0))
        if epoch.index == 2:
            epoch.observe(*held_out(2))
    assert [seen.epoch for seen in run.history] == [2]


class Saved:
    """What a graph holds in the place of a tensor that it saved for its backward pass."""

    def __init__(self, tensor):
        self.tensor = tensor


def test_observing_keeps_no_graph_alive():
    epoch, saved = next(iter(make())), []

    def pack(tensor):
        kept = Saved(tensor)
        saved.append(weakref.ref(kept))
        return kept

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        logits = torch.nn.Linear(3, 3)(torch.rand(20, 3))
    for _ in range(2):
        epoch.observe(logits, torch.zeros(20, dtype=torch.int64))
    gc.collect()
    assert saved
    assert all(reference() is not None for reference in saved)
    del logits
    gc.collect()
    assert all(reference() is None for reference in saved)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_labels_may_be_any_integers(dtype):
    runs = [make(), make()]
    logits, labels = held_out(0)
    for run, y in zip(runs, (labels, labels.to(dtype)), strict=True):
        for epoch in run:
            epoch.observe(logits, y)
    assert runs[0].history == runs[1].history


def test_observing_works_under_inference_mode_and_does_not_wait_for_the_device(no_host_sync):
    run = make()
    for epoch in run:
        with torch.inference_mode(), no_host_sync:
            epoch.observe(*(tensor.clone() for tensor in held_out(epoch.index)))
        epoch.observe(*held_out(epoch.index))
    assert [seen.n for seen in run.history] == [40] * EPOCHS


def test_mixing_does_not_wait_for_the_device(no_host_sync):
    epoch = next(iter(make()))
    with no_host_sync:
        epoch.mix(*batch_at_precomputed)


batch_at_precomputed = batch_at(0, 0)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (
            torch.rand(4),
            torch.arange(4),
            r"logits of shape \(4,\) and .*: give \(N, C\) and \(N,\)",
        ),
        (torch.rand(4, 3), torch.arange(3), r"labels of shape \(3,\)"),
        (torch.rand(4, 3), torch.rand(4, 3), r"labels of shape \(4, 3\)"),
        (torch.rand(0, 3), torch.arange(0), r"no samples: give at least one"),
        (torch.rand(4, 3), torch.rand(4), r"labels have dtype torch.float32: give class indices"),
        (torch.rand(4, 3), torch.ones(4) > 0, r"labels have dtype torch.bool: give class indices"),
    ],
)
def test_what_cannot_be_observed_is_refused(logits, labels, message):
    with pytest.raises(DataError, match=rf"^observe: .*{message}"):
        next(iter(make())).observe(logits, labels)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (torch.rand(4, 3), [0, 1, 2, 3]),
        (torch.rand(4, 3), torch.tensor(0)),
        (torch.rand(4, 3), torch.arange(5)),
        (torch.arange(4), torch.arange(4)),
        ({"image": "cat"}, torch.arange(4)),
    ],
)
@pytest.mark.parametrize("switch", [overmix.always(), overmix.never()], ids=["on", "off"])
def test_what_cannot_be_mixed_is_refused_whether_mixing_is_on_or_off(x, y, switch):
    with pytest.raises(DataError):
        next(iter(make(switch=switch))).mix(x, y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, r"^epochs = 0: use an integer >= 1$"),
        ({"epochs": 2.0}, r"^epochs = 2.0: use an integer >= 1$"),
        ({"epochs": True}, r"^epochs = True: "),
        (
            {"mix": overmix.Mixup},
            r"^mix = <class .*Mixup'>: give a recipe, such as overmix.Mixup\(alpha=1.0\), or None",
        ),
        ({"mix": "Mixup"}, r"^mix = 'Mixup': give a recipe"),
        ({"switch": "auto"}, r"^switch = 'auto': names are for study files: give overmix.AutoSwitch\(\)$"),
        ({"switch": "Never"}, r"^switch = 'Never': .*: give overmix.never\(\)$"),
        ({"switch": "?"}, r"^switch = '\?': .*: give overmix.off_at\(0.5\) or overmix.AutoSwitch\(\)$"),
        ({"switch": 64}, r"^switch = 64: give a schedule, such as overmix.off_at\(64\), or a policy, such as .* own"),
        ({"switch": overmix.always}, r"^switch = <function always .*: give a schedule"),
        ({"switch": overmix.switch.Always}, r"^switch = 'Always': that is the class: give an instance, Always\(\)$"),
        (
            {"switch": overmix.AutoSwitch},
            r"^switch = 'AutoSwitch': that is the class: give .* AutoSwitch\(\)$",
        ),
        ({"seed": -1}, r"^seed = -1: use an integer in \[0, 2\*\*64\)$"),
        ({"seed": 1.5}, r"^seed = 1.5: "),
        ({"rank": -1}, r"^rank = -1: "),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Epochs(**{"epochs": 2, "mix": overmix.Mixup(), **settings})


def test_a_switch_beyond_the_end_is_refused():
    with pytest.raises(ConfigError, match=r"^off_at = 500: use at most 300, the number of epochs"):
        Epochs(300, mix=overmix.Mixup(), switch=overmix.off_at(500))
    assert len(Epochs(300, mix=overmix.Mixup(), switch=overmix.off_at(300))) == 300


def test_numpys_integers_are_integers():
    run = Epochs(np.int64(4), mix=overmix.Mixup(), switch=overmix.off_at(np.int32(2)), steps_per_epoch=np.int8(3))
    assert (run.epochs, type(run.epochs), run.switch, type(run.switch.when)) == (4, int, overmix.off_at(2), int)


def observed(logits, labels, **settings):
    run = Epochs(1, mix=overmix.Mixup(), **settings)
    next(iter(run)).observe(logits, labels)
    return run


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64), r"have one class: for two classes with one output z"),
        (torch.zeros(4, 2), torch.tensor([0, 1, 2, 5]), r"^observe: 2 labels are none of the classes 0 to 1"),
        (torch.zeros(4, 2), torch.tensor([0, 1, -100, 0]), r"^observe: 1 labels are none of the classes 0 to 1"),
        (np.zeros((4, 2)), np.zeros(4, dtype=int), r"^observe: got ndarray and ndarray: give tensors"),
    ],
)
def test_what_has_no_class_is_not_scored(logits, labels, message):
    with pytest.raises(DataError, match=message):
        observed(logits, labels)


def test_on_a_device_that_one_would_wait_for_labels_are_checked_when_the_epoch_is_over(monkeypatch):
    monkeypatch.setattr("overmix.switch.tally._waits", lambda tensor: True)
    run = observed(torch.zeros(4, 2), torch.tensor([0, 1, -100, 7]))
    with pytest.raises(DataError, match=r"^observe: 2 labels are none of the classes 0 to 1"):
        run.next_epoch()
    assert observed(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0])).history[0].n == 4


@pytest.mark.parametrize("switch", [overmix.off_at(2), overmix.AutoSwitch()], ids=repr)
def test_a_loop_that_forgets_to_mix_is_told_once(switch):
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Epochs(4, mix=overmix.Mixup(), switch=switch, state={"model": model, "optimizer": optimizer})

    def train():
        for epoch in run:
            torch.nn.functional.cross_entropy(model(torch.rand(8, 3)), torch.randint(2, (8,))).backward()
            optimizer.step()
            epoch.observe(model(torch.rand(8, 3)), torch.randint(2, (8,)))

    with pytest.warns(UserWarning, match=r"^epoch 0 had 1 optimizer steps and mixed no batch: call x, ") as told:
        train()
    assert len(told) == 1
