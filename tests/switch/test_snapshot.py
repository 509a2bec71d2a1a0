"""Snapshots hold all that a training draws from and changes."""

import io
import random
import threading
from collections import Counter, OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from overmix.errors import ConfigError, OvermixError
from overmix.switch import Epochs, bystanders
from overmix.switch.copies import copied, same
from overmix.switch.generators import generator_states, set_generator_states
from overmix.switch.registered import Registered
from overmix.switch.snapshot import restore, take
from overmix.switch.threads import only_elsewhere, used_here


def draws():
    return torch.rand(2).tolist(), np.random.rand(2).tolist(), random.random(), random.gauss(0, 1)  # noqa: NPY002


def through_a_file(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("stored", [lambda states: states, through_a_file], ids=["memory", "file"])
def test_global_generators_go_on_where_they_were(stored):
    random.gauss(0, 1)  # half a pair of Gaussian numbers is left over, which belongs to the state
    states = stored(generator_states())
    first = draws()
    assert draws() != first
    set_generator_states(states)
    assert draws() == first


def registered():
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3), torch.nn.Dropout())
    optimizer = torch.optim.AdamW(model.parameters())
    return Registered({"model": model, "optimizer": optimizer, "order": torch.Generator().manual_seed(3)})


def train(held, steps=1):
    model, optimizer = held.objects["model"], held.objects["optimizer"]
    for _ in range(steps):
        model(torch.randn(8, 3, generator=held.objects["order"])).square().sum().backward()
        optimizer.step()


def weights(held):
    return [value.clone() for value in held.objects["model"].state_dict().values()]


@pytest.mark.parametrize("stored", [lambda snapshot: snapshot, through_a_file], ids=["memory", "file"])
def test_a_snapshot_can_be_gone_back_to_again_and_again(stored):
    held = registered()
    train(held)
    snapshot = stored(take(held))
    train(held, 2)
    first = weights(held)
    for _ in range(2):
        restore(held, snapshot)
        train(held, 2)
        assert all(torch.equal(a, b) for a, b in zip(first, weights(held), strict=True))


def test_gradients_that_accumulate_and_modes_come_back():
    held = registered()
    model = held.objects["model"]
    train(held)
    snapshot, gradient = take(held), model[0].weight.grad.clone()
    model[1].eval()
    train(held)
    pointer = model[0].weight.grad
    restore(held, snapshot)
    assert torch.equal(model[0].weight.grad, gradient)
    assert model[0].weight.grad is pointer
    assert model[1].training
    model.zero_grad()
    restore(held, snapshot)
    assert torch.equal(model[0].weight.grad, gradient)


def test_gradients_that_were_not_there_go():
    held = registered()
    snapshot = take(held)
    train(held)
    restore(held, snapshot)
    assert all(p.grad is None for p in held.objects["model"].parameters())


def test_another_rank_keeps_its_own_generators():
    held = registered()
    snapshot = take(held, rank=0)
    before = torch.get_rng_state()
    torch.rand(1)
    moved = torch.get_rng_state()
    restore(held, snapshot, rank=1)
    assert torch.equal(torch.get_rng_state(), moved)
    restore(held, snapshot, rank=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_diverged_training_is_set_back_like_any_other():
    held = registered()
    with torch.no_grad():
        held.objects["model"][0].weight.fill_(torch.nan)
    restore(held, take(held))


class Carrying(torch.nn.Module):
    """Holds a value of every kind that is set back, and one that is left alone."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))
        self.plain, self.nothing, self.scalar = 1, None, np.float64(0.5)
        self.tensor, self.array, self.text = torch.arange(3.0), np.arange(4, dtype=np.uint16), np.array(["a", "bc"])
        self.generator, self.python = torch.Generator().manual_seed(1), random.Random(2)
        self.fast, self.old = np.random.default_rng(3), np.random.Generator(np.random.MT19937(4))
        self.list, self.tuple, self.deque = [1, torch.zeros(2)], (1, (2.0,)), deque([1, 2], maxlen=3)
        self.dict, self.ordered, self.set = {"a": [1], 3: None}, OrderedDict(b=2), {1, 2}
        self.anything = Exception("left alone")

    def change(self):
        self.plain, self.nothing, self.scalar, self.new = 2, 1.0, np.float64(0.1), 5
        self.tensor += 1
        self.array += 1
        self.text[0] = "z"
        torch.rand(1, generator=self.generator)
        self.python.gauss(0, 1)
        self.fast.normal(size=3)
        self.old.normal(size=3)
        self.list[1] += 1
        self.list.append(2)
        self.tuple = ()
        self.deque.append(7)
        self.dict["a"].append(2)
        self.dict["c"] = 3
        self.ordered.move_to_end("b")
        self.ordered["a"] = 1
        self.set.add(9)


@pytest.mark.parametrize("stored", [lambda snapshot: snapshot, through_a_file], ids=["memory", "file"])
@pytest.mark.parametrize("lost", [False, True])
def test_plain_attributes_come_back_and_stay_the_objects_that_they_are(stored, lost):
    module = Carrying()
    held = Registered({"model": module, "optimizer": torch.optim.SGD([module.weight], lr=0.1)})
    snapshot, objects = stored(take(held)), dict(vars(module))
    module.change()
    if lost:  # whatever stands there now
        for name in vars(Carrying()).keys() - vars(torch.nn.Module()).keys() - {"anything"}:
            setattr(module, name, None)
    restore(held, snapshot)
    fresh = Carrying()
    kept = vars(fresh).keys() - {"anything"}
    assert vars(module).keys() == vars(fresh).keys()
    names = kept - vars(torch.nn.Module()).keys() - {"fast", "old"}
    assert [name for name in names if not same(vars(module)[name], vars(fresh)[name])] == []
    # Generators that had to be made anew draw the same numbers, and do not know what they were seeded by.
    assert (module.fast.random(), module.old.random()) == (fresh.fast.random(), fresh.old.random())
    changeable = ("tensor", "array", "generator", "python", "fast", "old", "list", "deque", "dict", "ordered", "set")
    assert lost or all(getattr(module, name) is objects[name] for name in changeable)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.tensor(0.0), torch.tensor(-0.0)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (torch.zeros(2), torch.zeros(2, 1)),
        (np.zeros(2), np.zeros(2, dtype=np.float32)),
        (np.zeros(2), np.ones(2)),
        (None, 0),
        (1.0, "1.0"),
        ([1], [1, 2]),
        ({"a": None}, {"a": 0.0}),
        (deque([1]), deque([2])),
        (np.random.default_rng(0), np.random.default_rng(1)),
        (Exception("a"), Exception("b")),
        (lambda: 0, lambda: 0),
    ],
    ids=lambda value: type(value).__name__,  # no address in memory: every worker must name it alike
)
def test_what_differs_is_not_the_same(one, other):
    assert not same(one, other)
    assert same(one, one)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.tensor([torch.nan, 1.0]),
        lambda: torch.eye(2).to_sparse(),
        lambda: torch.tensor([1 + 2j]).conj(),
        lambda: np.array([np.nan]),
        lambda: np.array([None, "a"], dtype=object),
        lambda: {"a": [1, (2.0, float("nan"))], "b": deque([None])},
        lambda: np.random.default_rng(0),
        lambda: random.Random(1),
        lambda: Counter(a=2),
        lambda: Exception("a", [1]),
    ],
)
def test_what_is_made_alike_is_the_same_and_so_is_a_copy(make):
    assert same(make(), make())
    assert same(copied(make(), {}), make())


def test_memory_that_is_held_twice_is_copied_once():
    weight = torch.randn(1000)
    first, second = copied([weight, weight.detach().view(1000)], {})
    assert first is second
    assert first.data_ptr() != weight.data_ptr()


def test_a_model_on_the_meta_device_is_refused():
    model = torch.nn.Linear(2, 2, device="meta")
    with pytest.raises(ConfigError, match=r"^state = 'model.weight': .* move the model off the meta device"):
        take(Registered({"model": model}))


def test_another_set_of_objects_than_before_is_refused():
    held = registered()
    snapshot = take(held)
    more = Registered({**held.objects, "more": torch.Generator()})
    with pytest.raises(OvermixError, match=r"^state: .*'more'.* is registered, .* was: it cannot"):
        restore(more, snapshot)


def test_what_lives_beside_and_stands_still_is_no_matter():
    held = registered()
    others = torch.nn.Linear(2, 2), torch.nn.LazyLinear(2), torch.nn.Linear(2, 2, device="meta")
    kept = [torch.optim.Adam(other.parameters()) for other in others]
    snapshot = take(held)
    temporary = torch.optim.SGD(torch.nn.Linear(2, 2).parameters(), lr=0.1)  # of an attack, within a batch
    temporary.step()
    restore(held, snapshot)
    assert len(kept) == 3


def test_an_optimizer_that_lives_beside_and_goes_on_is_named():
    held, other = registered(), torch.nn.Linear(2, 2)
    beside = torch.optim.SGD(other.parameters(), lr=0.1)
    snapshot = take(held)
    other(torch.ones(1, 2)).sum().backward()
    beside.step()
    with pytest.raises(OvermixError, match=r"^state: a SGD went on .* register it too, by a name of its own$"):
        restore(held, snapshot)


def test_a_note_that_is_forgotten_says_nothing():
    held, other = registered(), torch.nn.Linear(2, 2)
    beside = torch.optim.SGD(other.parameters(), lr=0.1)
    snapshots = [take(held) for _ in range(2)]
    held.bystanders.keep_only([snapshots[1]["bystanders"]])
    other(torch.ones(1, 2)).sum().backward()
    beside.step()
    restore(held, snapshots[0])
    with pytest.raises(OvermixError, match=r"^state: a SGD went on"):
        restore(held, snapshots[1])


def in_another_thread(work):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_what_is_used_in_another_thread_alone_is_no_bystander():
    held, theirs = registered(), torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(theirs.parameters())
    average = torch.optim.swa_utils.AveragedModel(theirs)
    order = torch.Generator()
    loader = torch.utils.data.DataLoader([0.0], generator=order)
    theirs(torch.ones(1, 2)).sum().backward()

    def trained():
        optimizer.step()
        average.update_parameters(theirs)
        average.module.weight.data.add_(1)
        torch.rand(1, generator=order)

    snapshot = take(held)
    in_another_thread(optimizer.step)
    restore(held, snapshot)
    state = {"theirs": theirs, "optimizer": optimizer, "average": average, "order": order}
    in_another_thread(Epochs(2, state=state).next_epoch)  # of a schedule, which takes no snapshot
    in_another_thread(trained)
    restore(held, snapshot)
    optimizer.step()
    with pytest.raises(OvermixError, match=r"^state: a AdamW went on"):
        restore(held, snapshot)
    assert loader.generator is order


def test_a_thread_is_not_taken_for_one_that_has_ended():
    one = torch.Generator()
    number = in_another_thread(lambda: used_here([one]) or threading.get_ident())
    for _ in range(20):  # until the number is given anew, which is at once as a rule
        known, again = in_another_thread(lambda: (only_elsewhere(one), threading.get_ident()))
        assert known
        if again == number:
            return
    pytest.skip("this system gives no number anew")


def test_the_norms_of_a_bystander_wait_for_its_device_once(monkeypatch):
    tensors = [torch.randn(3, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
    expected = [float(tensor.norm()) for tensor in tensors]
    waits, as_list = [], torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda tensor: waits.append(tensor) or as_list(tensor))
    monkeypatch.setattr(torch.Tensor, "__float__", lambda tensor: waits.append(tensor) or tensor.item())
    assert bystanders._sizes(tensors) == expected
    assert len(waits) == 1
    # Of other kinds each its own, in their places.
    assert bystanders._sizes([tensors[0], tensors[1].double(), tensors[2]])[::2] == expected[:3:2]
    assert bystanders._sizes([]) == []
