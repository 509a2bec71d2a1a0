"""Small trainings as people write them, each with something of its own that a probe has to leave as it was."""

import contextlib
import copy
import hashlib
import random
import types
from collections import OrderedDict, deque

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.optim import lr_scheduler as schedulers
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, STEPS, BATCH = 4, 2, 8
SITUATIONS = {}


def situation(name, refused=None, in_place=True):
    """Register a training; ``refused`` is the pattern of the one line that refuses it."""

    def register(kind):
        assert name not in SITUATIONS
        kind.refused, kind.in_place = refused, in_place
        SITUATIONS[name] = kind
        return kind

    return register


@situation("plain")
class Base:
    """BatchNorm, dropout, momentum, a cosine rate per step, a loader that shuffles by the global generator."""

    told = STEPS  # steps_per_epoch
    goes_back = False  # also tried: a policy that goes back by some epochs
    keeps_gradients = False  # set to zero, not to None: then they are the same tensors all along

    def __init__(self):
        torch.manual_seed(7)
        random.seed(7)
        np.random.seed(7)  # noqa: NPY002
        self.model = self.make_model()
        self.optimizer = self.make_optimizer()
        self.scheduler = self.make_scheduler()
        self.data = TensorDataset(torch.randn(STEPS * BATCH, 5), torch.randint(3, (STEPS * BATCH,)))
        self.held_out = torch.randn(6, 5), torch.randint(3, (6,))
        self.loader = DataLoader(self.data, batch_size=BATCH, shuffle=True)
        self.prepare()

    def make_model(self):
        return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))

    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)

    def make_scheduler(self):
        return schedulers.CosineAnnealingLR(self.optimizer, EPOCHS * STEPS)

    def prepare(self):
        """Whatever else there is."""

    def state(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def body(self, epoch):
        self.begin(epoch)
        self.model.train()
        for x, y in self.loader:
            x, target = epoch.mix(x, y)
            self.step(epoch, x, target)
        self.end(epoch)
        if epoch.scored:
            self.model.eval()
            with torch.no_grad():
                epoch.observe(self.model(self.held_out[0]), self.held_out[1])

    def begin(self, epoch):
        """Before the batches of an epoch."""

    def end(self, epoch):
        """After them."""

    def loss(self, x, target):
        return target.cross_entropy(self.model(x))

    def step(self, epoch, x, target):
        self.optimizer.zero_grad()
        self.loss(x, target).backward()
        self.update(epoch)
        if epoch.kind != "probe":
            self.scheduler.step()

    def update(self, epoch):
        self.optimizer.step()


# --- everything that a later step may depend on, to the byte


def left_by(training):
    """SHA-256 of all that is there, by the way that leads to it: of modules, flags and gradients as well."""
    parts = {"training": training, "torch": torch.get_rng_state(), "python": random.getstate()}
    return _Tracks({**parts, "numpy": np.random.get_state()}).hashes  # noqa: NPY002


class _Tracks:
    def __init__(self, value):
        self.hashes, self.seen = {}, {}
        self.follow("", value)

    def note(self, path, content):
        self.hashes[path] = hashlib.sha256(content).hexdigest()

    def follow(self, path, value):
        if isinstance(value, int | float | str | bytes | bool | type(None) | np.generic):
            self.note(path, f"{type(value).__name__} {value!r}".encode())
            return
        if id(value) in self.seen:  # the same object again
            self.note(path, self.seen[id(value)][0].encode())
            return
        self.seen[id(value)] = path, value  # held, so that no other gets its id
        if isinstance(value, torch.Tensor):
            self.follow_tensor(path, value)
        elif isinstance(value, np.ndarray):
            self.note(path, value.tobytes())
        elif isinstance(value, torch.Generator):
            self.follow(path, value.get_state())
        elif isinstance(value, random.Random):
            self.follow(path, value.getstate())
        elif isinstance(value, np.random.Generator):
            self.follow(path, value.bit_generator.state)
        elif isinstance(value, dict):
            self.note(path, str(len(value)).encode())
            for number, (key, part) in enumerate(value.items()):  # an optimizer's state has tensors for keys
                self.follow(f"{path}.{number if isinstance(key, torch.Tensor) else key}", part)
        elif isinstance(value, list | tuple | set | deque):
            self.note(path, str(len(value)).encode())
            for number, part in enumerate(sorted(value) if isinstance(value, set) else value):
                self.follow(f"{path}.{number}", part)
        elif hasattr(value, "__dict__") and not isinstance(value, type | types.FunctionType | types.ModuleType):
            held = vars(value)
            self.follow(path + ".", {key: held[key] for key in sorted(held) if key not in UNTOLD})

    def follow_tensor(self, path, value):
        what = f"{value.dtype} {tuple(value.shape)} {value.requires_grad} {value.layout}".encode()
        if value.is_meta or torch.nn.parameter.is_lazy(value):
            self.note(path, what)
            return
        dense = value.detach().to_dense() if value.layout is not torch.strided else value.detach()
        content = dense.resolve_conj().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        self.note(path, what + content)
        if value.is_leaf:
            self.follow(path + " grad", value.grad)


# Hooks and caches of torch's own: of no value for what a training computes, and with addresses in them.
UNTOLD = {
    *(name for name in vars(nn.Module()) if name.endswith(("_hooks", "_hooks_with_kwargs", "_hooks_always_called"))),
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_zero_grad_profile_name",
    "_compiled_call_impl",
    "_flat_weight_refs",
    "_warned_capturable_if_run_uncaptured",
}


def memory(training):
    """The memory that captured graphs, buckets and other holders look at, by a name."""
    places = {}
    for name, part in training.state().items():
        if isinstance(part, nn.Module):
            tensors = {**dict(part.named_parameters()), **dict(part.named_buffers())}
            if training.keeps_gradients:
                tensors |= {f"{key} grad": p.grad for key, p in part.named_parameters() if p.grad is not None}
            places |= {f"{name} {key}": value.data_ptr() for key, value in tensors.items()}
        if isinstance(part, torch.optim.Optimizer):
            for number, group in enumerate(part.param_groups):
                places |= {f"{name} {number} {key}": v.data_ptr() for key, v in group.items() if torch.is_tensor(v)}
                places[f"{name} {number}"] = id(group)
                for at, p in enumerate(group["params"]):
                    state = part.state.get(p, {})
                    places |= {
                        f"{name} {number} {at} {k}": v.data_ptr() for k, v in state.items() if torch.is_tensor(v)
                    }
    return places


# --- models


class Net(nn.Module):
    """A small network whose forward does something beside."""

    changes_shape = False

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(8, 3)
        self.prepare()

    def prepare(self):
        """Whatever else there is."""

    def beside(self, h):
        return h

    def forward(self, x):
        h = self.body(x)
        return self.head(self.beside(h) if self.training else h)


def of(net):
    """A training of a network."""

    def make_model(self):
        return net()

    return type(net.__name__, (Base,), {"make_model": make_model, "goes_back": net.changes_shape})


def network(name, refused=None, in_place=True):
    def register(net):
        situation(name, refused, in_place)(of(net))
        return net

    return register


@network("buffer that is not persistent")
class NotPersistent(Net):
    def prepare(self):
        self.register_buffer("mean", torch.zeros(8), persistent=False)

    def beside(self, h):
        self.mean.lerp_(h.detach().mean(0), 0.1)
        return h - self.mean


@network("buffer that forward replaces", in_place=False)
class Replaced(Net):
    def prepare(self):
        self.register_buffer("mean", torch.zeros(8), persistent=False)

    def beside(self, h):
        self.mean = 0.9 * self.mean + 0.1 * h.detach().mean(0)
        return h - self.mean


@network("buffer that grows", in_place=False)
class Growing(Net):
    changes_shape = True

    def prepare(self):
        self.register_buffer("bank", torch.zeros(0, 8), persistent=False)

    def beside(self, h):
        self.bank = torch.cat([self.bank, h.detach()])
        return h - self.bank.mean(0)


@network("buffer that starts as None", in_place=False)
class Empty(Net):
    changes_shape = True

    def prepare(self):
        self.register_buffer("first", None)
        self.calls = 0

    def beside(self, h):
        self.calls += 1
        if self.calls == 3 * STEPS:  # in a probe for the first time
            self.first = h.detach().mean(0)
        return h if self.first is None else h - self.first


@network("buffer that is registered later", in_place=False)
class Late(Net):
    changes_shape = True

    def prepare(self):
        self.calls = 0

    def beside(self, h):
        self.calls += 1
        if self.calls == 3 * STEPS:
            self.register_buffer("late", h.detach().mean(0))
        return h - self.late if hasattr(self, "late") else h


@network("buffer that is expanded", in_place=False)
class Expanded(Net):
    def prepare(self):
        self.register_buffer("scale", torch.ones(1).expand(8), persistent=False)

    def beside(self, h):
        self.scale = (self.scale[:1] * 1.1).expand(8)
        return h * self.scale


@network("buffer made in inference mode", in_place=False)
class Inferred(Net):
    def prepare(self):
        self.register_buffer("mean", torch.zeros(8))

    def beside(self, h):
        with torch.inference_mode():
            self.mean = self.mean + h.detach().mean(0)
        return h - self.mean.clone()


@network("buffer that two modules share")
class Shared(Net):
    def prepare(self):
        self.register_buffer("mean", torch.zeros(8))
        self.other = nn.Module()
        self.other.register_buffer("mean", self.mean)

    def beside(self, h):
        self.mean.add_(h.detach().mean(0))
        return h - self.other.mean


@network("negative zero in a buffer")
class Zero(Net):
    def prepare(self):
        self.register_buffer("zero", torch.tensor(-0.0))

    def beside(self, h):
        self.zero.abs_()
        return h + torch.copysign(torch.tensor(0.1), self.zero)

    def forward(self, x):
        out = super().forward(x)
        if not self.training:
            self.zero.neg_()
        return out


@network("counter in a module")
class Counter(Net):
    def prepare(self):
        self.calls = 0

    def beside(self, h):
        self.calls += 1
        return h / self.calls


@network("data-dependent initialisation")
class ActNorm(Net):
    def prepare(self):
        self.ready, self.scale = False, nn.Parameter(torch.ones(8))

    def beside(self, h):
        if not self.ready:
            self.scale.data.copy_(1 / (h.detach().std(0) + 1))
            self.ready = True
        return h * self.scale


@network("plain tensor attribute")
class Attribute(Net):
    def prepare(self):
        self.queue, self.at = torch.zeros(4, 8), 0

    def beside(self, h):
        self.queue[self.at] = h.detach().mean(0)
        self.at = (self.at + 1) % 4
        return h - self.queue.mean(0)


@network("list, deque, dictionary and set in a module")
class Containers(Net):
    changes_shape = True

    def prepare(self):
        self.past, self.recent, self.seen, self.named = [], deque(maxlen=2), set(), {"sum": torch.zeros(8)}

    def beside(self, h):
        self.past.append(h.detach().mean(0))
        self.recent.append(float(h.detach().sum()))
        self.seen.add(len(self.past))
        self.named["sum"] += self.past[-1]
        return h + sum(self.recent) / 100 - self.named["sum"] / len(self.seen)


@network("NumPy array and generators in a module")
class Drawing(Net):
    def prepare(self):
        self.rng, self.python = np.random.default_rng(1), random.Random(2)
        self.generator, self.counts = torch.Generator().manual_seed(3), np.zeros(8)

    def beside(self, h):
        self.counts += self.rng.random(8)
        mask = torch.rand(h.shape, generator=self.generator) < 0.9
        return h * mask * self.python.random() + torch.from_numpy(self.counts).float()


@network("extra state")
class Extra(Net):
    class Holder:
        value = 0

    def prepare(self):
        self.holder = Extra.Holder()
        self.holder.value = 1

    def beside(self, h):
        self.holder.value += 1
        return h / self.holder.value

    def get_extra_state(self):
        return {"value": self.holder.value}

    def set_extra_state(self, state):
        self.holder.value = state["value"]


@network("modes that forward changes")
class Modes(Net):
    def prepare(self):
        self.norm = nn.BatchNorm1d(8)

    def beside(self, h):
        out = self.norm(h)
        if int(self.norm.num_batches_tracked) == 3 * STEPS:
            self.norm.eval()  # frozen from here on, if nobody calls train()
        return out


@network("tied weights")
class Tied(Net):
    def prepare(self):
        self.there, self.back = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.back.weight = self.there.weight

    def beside(self, h):
        return self.back(self.there(h))


@network("weight normalisation")
class WeightNorm(Net):
    def prepare(self):
        self.head = parametrizations.weight_norm(self.head)


@network("spectral normalisation")
class SpectralNorm(Net):
    def prepare(self):
        self.head = parametrizations.spectral_norm(self.head)


@network("spectral normalisation of the old kind")
class OldSpectralNorm(Net):
    def prepare(self):
        self.head = nn.utils.spectral_norm(self.head)


@network("orthogonal weights")
class Orthogonal(Net):
    def prepare(self):
        self.square = parametrizations.orthogonal(nn.Linear(8, 8))

    def beside(self, h):
        return self.square(h)


@network("lazy modules")
class Lazy(Net):
    def prepare(self):
        self.body = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU())


@situation("lazy modules in a probe before the first batch", refused="pass a batch through the lazy model first")
class LazyAtOnce(Base):
    probes = (0, 1)

    def make_model(self):
        return Lazy()


@network("instance normalisation with running statistics")
class Instance(Net):
    def prepare(self):
        self.norm = nn.InstanceNorm1d(2, track_running_stats=True)

    def beside(self, h):
        return self.norm(h.reshape(-1, 2, 4)).reshape(-1, 8)


@network("group and layer normalisation")
class Groups(Net):
    def prepare(self):
        self.norms = nn.Sequential(nn.GroupNorm(2, 8), nn.LayerNorm(8), nn.RMSNorm(8))

    def beside(self, h):
        return self.norms(h)


@network("BatchNorm that averages everything")
class Cumulative(Net):
    def prepare(self):
        self.norm = nn.BatchNorm1d(8, momentum=None)

    def forward(self, x):
        return self.head(self.norm(self.body(x)))


@network("BatchNorm without weights, without a count")
class Uncounted(Net):
    def prepare(self):
        self.norm = nn.BatchNorm1d(8, affine=False)
        self.norm.num_batches_tracked = None

    def forward(self, x):
        return self.head(self.norm(self.body(x)))


@network("an LSTM with dropout")
class Recurrent(Net):
    def prepare(self):
        self.lstm = nn.LSTM(8, 8, num_layers=2, dropout=0.3)
        self.hidden = None

    def beside(self, h):
        out, hidden = self.lstm(h[None], self.hidden)
        self.hidden = tuple(part.detach() for part in hidden)  # truncated back-propagation through time
        return out[0]


@network("attention")
class Attention(Net):
    def prepare(self):
        self.layer = nn.TransformerEncoderLayer(8, 2, 8)

    def beside(self, h):
        return self.layer(h[None])[0]


@network("gradient checkpointing")
class Checkpointed(Net):
    def beside(self, h):
        return checkpoint(nn.Sequential(self.body[2], nn.Identity()), h, use_reentrant=False)


@network("convolution in channels-last memory")
class Convolution(Net):
    def prepare(self):
        self.conv = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)).to(memory_format=torch.channels_last)

    def beside(self, h):
        return self.conv(h.reshape(-1, 2, 2, 2).contiguous(memory_format=torch.channels_last)).reshape(-1, 8)


@network("complex parameters")
class Complex(Net):
    def prepare(self):
        self.mix = nn.Parameter(torch.randn(8, 8, dtype=torch.complex64) / 8)

    def beside(self, h):
        return (h.to(torch.complex64) @ self.mix).abs()


@network("teacher inside of the model")
class Inside(Net):
    def prepare(self):
        self.teacher = copy.deepcopy(self.head).requires_grad_(False)

    def beside(self, h):
        for slow, p in zip(self.teacher.parameters(), self.head.parameters(), strict=True):
            slow.lerp_(p.detach(), 0.1)
        return h + self.teacher(h).mean()


@network("teacher hidden in a list")
class Hidden(Net):
    def prepare(self):
        self.teacher = [copy.deepcopy(self.head).requires_grad_(False)]

    def beside(self, h):
        for slow, p in zip(self.teacher[0].parameters(), self.head.parameters(), strict=True):
            slow.lerp_(p.detach(), 0.1)
        return h + self.teacher[0](h).mean()


@network("parameters that a forward averages by itself", refused="head2.weight changes, and no registered optimizer")
class AveragedParameters(Net):
    def prepare(self):
        self.head2 = copy.deepcopy(self.head)

    def beside(self, h):
        with torch.no_grad():
            self.head2.weight.lerp_(self.head.weight, 0.1)
        return h


class WithoutSecondHead(SITUATIONS["parameters that a forward averages by itself"]):
    pass


def _without_second_head(self):
    parameters = [p for name, p in self.model.named_parameters() if "head2" not in name]
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


SITUATIONS["parameters that a forward averages by itself"].make_optimizer = _without_second_head
del WithoutSecondHead


@network("a load_state_dict that does nothing", refused="Forgetful.load_state_dict does not bring back")
class Forgetful(Net):
    def load_state_dict(self, state, *arguments, **settings):
        return None


# --- optimizers


def optimizer(name, make, scheduled=True, **attributes):
    """Register a training by another optimizer, given the parameters."""

    def make_optimizer(self):
        return make(self.model.parameters())

    def make_scheduler(self):
        return Base.make_scheduler(self)

    kind = type("Optimized", (Base,), {"make_optimizer": make_optimizer, "make_scheduler": make_scheduler})
    situation(name, **attributes)(kind)


for _name in ("Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD", "AdamW"):
    optimizer(_name, getattr(torch.optim, _name))
optimizer("RMSprop, centred, with momentum", lambda p: torch.optim.RMSprop(p, centered=True, momentum=0.5))
optimizer("AdamW, amsgrad, foreach", lambda p: torch.optim.AdamW(p, amsgrad=True, foreach=True))
optimizer("AdamW, fused", lambda p: torch.optim.AdamW(p, fused=True))
optimizer("SGD, fused, Nesterov", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, fused=True))
optimizer("a learning rate in a tensor", lambda p: torch.optim.AdamW(p, lr=torch.tensor(0.01), foreach=False))
if hasattr(torch.optim, "Adafactor"):
    optimizer("Adafactor", torch.optim.Adafactor)


class Relative(torch.optim.SGD):
    """As transformers' Adafactor: without a rate it sets its own."""

    def __init__(self, parameters):
        super().__init__(parameters, lr=0.1)
        self.param_groups[0]["lr"] = None


@situation("an optimizer that sets its own rate", refused="Relative.* lr is None")
class OwnRate(Base):
    def make_optimizer(self):
        return Relative(self.model.parameters())

    def make_scheduler(self):
        return None

    def state(self):
        return {"model": self.model, "optimizer": self.optimizer}


class Counting(torch.optim.SGD):
    """Counts in an attribute that no state_dict has."""

    def __init__(self, parameters):
        super().__init__(parameters, lr=0.1)
        self.steps = 0

    def step(self, closure=None):
        self.steps += 1
        with torch.no_grad():
            for p in self.param_groups[0]["params"]:
                p.grad.div_(self.steps)
        return super().step(closure)


optimizer("an optimizer that counts in an attribute", Counting)


@situation("LBFGS", in_place=False)
class Closure(Base):
    goes_back = True

    def make_optimizer(self):
        return torch.optim.LBFGS(self.model.parameters(), lr=0.1, max_iter=3, history_size=2)

    def step(self, epoch, x, target):
        def closure():
            self.optimizer.zero_grad()
            loss = self.loss(x, target)
            loss.backward()
            return loss

        self.optimizer.step(closure)
        self.scheduler.step()


class Sparse(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(5, 8, sparse=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.table(x.abs().long().clamp(max=4)).mean(1))


@situation("sparse gradients, two optimizers", in_place=False)
class SparseAdam(Base):
    goes_back = True

    def make_model(self):
        return Sparse()

    def prepare(self):
        self.sparse = torch.optim.SparseAdam(self.model.table.parameters(), lr=0.01)

    def make_optimizer(self):
        return torch.optim.AdamW(self.model.head.parameters())

    def state(self):
        return {**super().state(), "sparse": self.sparse}

    def update(self, epoch):
        self.optimizer.step()
        self.sparse.step()
        self.sparse.zero_grad(set_to_none=False)


class TwoOptimizers(Base):
    def make_optimizer(self):
        return torch.optim.SGD(self.model[0].parameters(), lr=0.1, momentum=0.9)

    def prepare(self):
        rest = [*self.model[1].parameters(), *self.model[4].parameters()]
        self.second = torch.optim.SGD(rest, lr=0.1, momentum=0.9)

    def update(self, epoch):
        self.optimizer.step()
        self.second.step()
        self.second.zero_grad()


@situation("two optimizers")
class Both(TwoOptimizers):
    def state(self):
        return {**super().state(), "second": self.second}


@situation("two optimizers, one registered", refused="no registered optimizer trains it|a SGD went on")
class OneOfTwo(TwoOptimizers):
    pass


@situation("momentum by hand, gradients gone at the end", refused="changes, and no registered optimizer trains it")
class ByHand(TwoOptimizers):
    def prepare(self):
        self.rest = [*self.model[1].parameters(), *self.model[4].parameters()]
        self.velocity = [torch.zeros_like(p) for p in self.rest]

    def update(self, epoch):
        self.optimizer.step()
        with torch.no_grad():
            for p, v in zip(self.rest, self.velocity, strict=True):
                v.mul_(0.9).add_(p.grad)
                p.sub_(0.1 * v)
        self.model.zero_grad(set_to_none=True)


class Adversary(Base):
    """A second model with an optimizer of its own that the first one plays against."""

    def prepare(self):
        self.critic = nn.Linear(3, 1)
        self.second = torch.optim.Adam(self.critic.parameters(), lr=0.01)

    def loss(self, x, target):
        logits = self.model(x)
        self.second.zero_grad()
        self.critic(logits.detach()).mean().backward()
        self.second.step()
        return target.cross_entropy(logits) + 0.1 * self.critic(logits).mean()


@situation("an adversary that is registered")
class KnownAdversary(Adversary):
    goes_back = True

    def state(self):
        return {**super().state(), "critic": self.critic, "second": self.second}


@situation("an adversary that is not registered", refused="a Adam went on through epochs that are set back")
class UnknownAdversary(Adversary):
    pass


@situation("an optimizer that is made anew on the way", refused="a Adam went on|SGD.* has|a SGD went on")
class Exchanged(Base):
    probes = (1, 3)

    def begin(self, epoch):
        if epoch.index == 2 and epoch.kind == "train":
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def state(self):
        self.first = self.__dict__.setdefault("first", self.optimizer)
        return {**super().state(), "optimizer": self.first}


class SAM(torch.optim.Optimizer):
    """Two steps, of which a wrapped optimizer does the second; its state_dict has nothing of that one's momentum."""

    def __init__(self, parameters):
        super().__init__(parameters, {"rho": 0.05, "lr": 0.1})
        self.base = torch.optim.SGD(self.param_groups, lr=0.1, momentum=0.9)
        self.param_groups = self.base.param_groups

    @torch.no_grad()
    def climb(self):
        for p in self.param_groups[0]["params"]:
            self.state[p]["old"] = p.clone()
            p.add_(p.grad, alpha=0.05)

    @torch.no_grad()
    def step(self, closure=None):
        for p in self.param_groups[0]["params"]:
            p.copy_(self.state[p]["old"])
        self.base.step()


@situation("an optimizer that wraps another (SAM)", in_place=False)
class Sharpness(Base):
    goes_back = True

    def make_optimizer(self):
        return SAM(self.model.parameters())

    def step(self, epoch, x, target):
        for move in (self.optimizer.climb, self.optimizer.step):
            self.optimizer.zero_grad()
            self.loss(x, target).backward()
            move()
        self.scheduler.step()


class Lookahead(torch.optim.Optimizer):
    """Slow weights in the state of the wrapped optimizer, the count in its groups: as timm's."""

    def __init__(self, base):
        self._base_optimizer, self.defaults = base, base.defaults
        self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks = OrderedDict(), OrderedDict()
        self.param_groups, self.state = base.param_groups, {}
        self.param_groups[0]["steps"] = 0

    @torch.no_grad()
    def step(self, closure=None):
        self._base_optimizer.step()
        group = self.param_groups[0]
        group["steps"] += 1
        for p in group["params"]:
            slow = self._base_optimizer.state[p].setdefault("slow", p.clone())
            if group["steps"] % 3 == 0:
                slow.lerp_(p, 0.5)
                p.copy_(slow)

    def state_dict(self):
        return self._base_optimizer.state_dict()

    def load_state_dict(self, state):
        self._base_optimizer.load_state_dict(state)
        self.param_groups = self._base_optimizer.param_groups


@situation("an optimizer that wraps another (Lookahead)")
class Slow(Base):
    goes_back = True

    def make_optimizer(self):
        return Lookahead(torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9))


class Wrapper:
    """As Fabric's: no optimizer of torch, its scheduler belongs to the one inside."""

    def __init__(self, inner):
        self.optimizer = inner

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    def state_dict(self):
        return self.optimizer.state_dict()

    def load_state_dict(self, state):
        self.optimizer.load_state_dict(state)


@situation("a framework's wrapper around the optimizer")
class Wrapped(Base):
    def prepare(self):
        self.wrapper = Wrapper(self.optimizer)

    def state(self):
        return {**super().state(), "optimizer": self.wrapper}


@situation("groups that are added")
class Added(Base):
    goes_back = True

    def make_optimizer(self):
        return torch.optim.SGD(self.model[4].parameters(), lr=0.1, momentum=0.9)

    def make_scheduler(self):
        return None

    def state(self):
        return {"model": self.model, "optimizer": self.optimizer}

    def begin(self, epoch):
        if epoch.index == 2:
            self.optimizer.add_param_group({"params": self.model[0].parameters(), "lr": 0.01})

    def step(self, epoch, x, target):
        self.model.zero_grad()
        self.loss(x, target).backward()
        self.optimizer.step()


@situation("state of the optimizer that is dropped", in_place=False)
class Dropped(Base):
    goes_back = True

    def begin(self, epoch):
        if epoch.index == 2:
            self.optimizer.state.clear()


@situation("groups that are changed by hand")
class Changed(Base):
    goes_back = True

    def begin(self, epoch):
        group = self.optimizer.param_groups[0]
        group["momentum"], group["weight_decay"] = 0.9 / (1 + epoch.index), 0.01 * epoch.index
        group["note"] = [epoch.index]


@situation("a rate that the loop itself sets per step")
class HandRate(Base):
    def update(self, epoch):
        self.optimizer.param_groups[0]["lr"] *= 0.97
        self.optimizer.step()


# --- schedulers


def scheduler(name, make, per="step", always=False, refused=None, registered=True):
    """Register a training with another scheduler, given the optimizer."""

    class Scheduled(Base):
        def make_scheduler(self):
            return make(self.optimizer)

        def state(self):
            parts = super().state()
            return parts if registered else {"model": self.model, "optimizer": self.optimizer}

        def step(self, epoch, x, target):
            self.optimizer.zero_grad()
            self.loss(x, target).backward()
            self.optimizer.step()
            if per == "step" and (always or epoch.kind != "probe"):
                self.scheduler.step()

        def end(self, epoch):
            if per == "epoch":
                self.scheduler.step()
            if per == "metric":
                self.scheduler.step(float(self.model[0].weight.detach().sum()))

    situation(name, refused)(Scheduled)


class Decay:
    """A callable object that counts its calls: LambdaLR saves its attributes."""

    def __init__(self):
        self.calls = 0

    def __call__(self, step):
        self.calls += 1
        return 1 / (1 + 0.1 * step)


class Plateau:
    """As timm's: the scheduler inside counts bad epochs, and state_dict says only what was best."""

    def __init__(self, inner):
        self.optimizer, self.inner = inner.optimizer, inner

    def state_dict(self):
        return {"best": self.inner.best}

    def load_state_dict(self, state):
        self.inner.best = state["best"]

    def step(self, metric):
        self.inner.step(metric)


def in_turn(optimizer):
    parts = [schedulers.LinearLR(optimizer, total_iters=3), schedulers.CosineAnnealingLR(optimizer, 8)]
    return schedulers.SequentialLR(optimizer, parts, milestones=[3])


def chained(optimizer):
    return schedulers.ChainedScheduler(
        [schedulers.ConstantLR(optimizer, total_iters=3), schedulers.ExponentialLR(optimizer, 0.9)]
    )


def plateau(optimizer):
    return schedulers.ReduceLROnPlateau(optimizer, patience=0, factor=0.5, threshold=0.5)


def cyclic(optimizer):
    return schedulers.CyclicLR(optimizer, 0.01, 0.1, step_size_up=3)


scheduler("OneCycleLR", lambda o: schedulers.OneCycleLR(o, 0.1, total_steps=EPOCHS * STEPS + 1))
scheduler("SequentialLR", in_turn)
scheduler("SequentialLR, per epoch, also in probes", in_turn, per="epoch")
scheduler("ChainedScheduler", chained, always=True)
scheduler("CyclicLR, also the momentum, also in probes", cyclic, always=True)
scheduler("MultiStepLR", lambda o: schedulers.MultiStepLR(o, [2, 5]), always=True)
scheduler("CosineAnnealingWarmRestarts", lambda o: schedulers.CosineAnnealingWarmRestarts(o, 3), always=True)
scheduler("LambdaLR of an object that counts", lambda o: schedulers.LambdaLR(o, Decay()), always=True)
scheduler("MultiplicativeLR of an object", lambda o: schedulers.MultiplicativeLR(o, Decay()), always=True)
scheduler("PolynomialLR per epoch", lambda o: schedulers.PolynomialLR(o, 4), per="epoch")
scheduler("ReduceLROnPlateau", plateau, per="metric")
scheduler("ReduceLROnPlateau in a wrapper that says half", lambda o: Plateau(plateau(o)), per="metric")
scheduler(
    "ReduceLROnPlateau that is not registered",
    plateau,
    per="metric",
    registered=False,
    refused="a ReduceLROnPlateau went on through epochs that are set back, and is not registered",
)
scheduler(
    "StepLR that is not registered", lambda o: schedulers.StepLR(o, 1), registered=False, refused="register it too"
)


# --- what the loop does


@situation("parameters that are unfrozen on the way")
class Unfrozen(Base):
    goes_back = True

    def prepare(self):
        self.model[0].requires_grad_(False)

    def begin(self, epoch):
        if epoch.index >= 2:
            self.model[0].requires_grad_(True)


@situation("parameters that are frozen on the way")
class Frozen(Base):
    goes_back = True

    def begin(self, epoch):
        if epoch.index >= 2:
            self.model[0].requires_grad_(False)


@situation("gradients outside of the optimizer, in a common norm")
class Clipped(Base):
    def make_optimizer(self):
        return torch.optim.SGD(self.model[4].parameters(), lr=0.1, momentum=0.9)

    def update(self, epoch):
        nn.utils.clip_grad_norm_(self.model.parameters(), 0.1)
        self.optimizer.step()


@situation("gradients that accumulate across epochs")
class Accumulating(Base):
    goes_back = True

    told = None

    def prepare(self):
        self.batches = nn.Module()
        self.batches.count = 0

    def state(self):
        return {**super().state(), "batches": self.batches}

    def step(self, epoch, x, target):
        self.loss(x, target).backward()
        self.batches.count += 1
        if self.batches.count % 3 == 0:
            self.optimizer.step()
            self.optimizer.zero_grad()


@situation("gradients set to zero, not to None")
class Zeroed(Base):
    keeps_gradients = True

    def step(self, epoch, x, target):
        self.loss(x, target).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        self.scheduler.step()


@situation("BatchNorm that only evaluates")
class FrozenNorm(Base):
    def begin(self, epoch):
        self.model.train = lambda mode=True: nn.Module.train(self.model, mode) and self.model[1].eval()
        self.__dict__.pop("unused", None)

    def body(self, epoch):
        super().body(epoch)
        del self.model.train


@situation("dropout that the loop anneals")
class Annealed(Base):
    goes_back = True

    def begin(self, epoch):
        self.model[3].p = 0.1 * epoch.index


@situation("weights that are clamped")
class Clamped(Base):
    def update(self, epoch):
        self.optimizer.step()
        for p in self.model.parameters():
            p.data.clamp_(-0.3, 0.3)


@situation("a layer that is drawn anew on the way")
class Redrawn(Base):
    goes_back = True

    def begin(self, epoch):
        if epoch.index == 2:
            self.model[4].reset_parameters()


@situation("noise from all global generators")
class Noisy(Base):
    def loss(self, x, target):
        noise = torch.randn_like(x) * np.random.rand() * random.gauss(0, 1)  # noqa: NPY002
        return target.cross_entropy(self.model(x + noise))


@situation("double precision")
class Double(Base):
    def make_model(self):
        return super().make_model().double()

    def loss(self, x, target):
        return target.cross_entropy(self.model(x.double()))

    def begin(self, epoch):
        self.held_out = self.held_out[0].double(), self.held_out[1]


@situation("bfloat16 weights")
class Half(Base):
    def make_model(self):
        return super().make_model().bfloat16()

    def loss(self, x, target):
        return target.cross_entropy(self.model(x.bfloat16()).float())

    def begin(self, epoch):
        self.held_out = self.held_out[0].bfloat16(), self.held_out[1]


@situation("autocast")
class Autocast(Base):
    def loss(self, x, target):
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(x)
        return target.cross_entropy(logits.float())


@situation("a tensor hook on a parameter")
class Hooked(Base):
    def prepare(self):
        self.model[0].weight.register_hook(lambda gradient: gradient.clamp(-0.01, 0.01))


@situation("one model under two names")
class TwoNames(Base):
    goes_back = True

    def state(self):
        return {**super().state(), "head": self.model[4], "again": self.model}


@situation("a diverged training")
class Diverged(Base):
    def begin(self, epoch):
        if epoch.kind == "train" and epoch.index == 0:
            with torch.no_grad():
                self.model[0].weight[0, 0] = torch.nan


# --- loaders


class OwnGenerator(Base):
    def prepare(self):
        self.generator = torch.Generator().manual_seed(5)
        self.loader = DataLoader(self.data, batch_size=BATCH, shuffle=True, generator=self.generator)


@situation("a loader's generator")
class KnownGenerator(OwnGenerator):
    goes_back = True

    def state(self):
        return {**super().state(), "order": self.generator}


@situation("a loader's generator that is not registered", refused="the generator of a")
class UnknownGenerator(OwnGenerator):
    pass


@situation("a loader made anew in each epoch, its order a function of the epoch")
class NewLoader(Base):
    def begin(self, epoch):
        generator = torch.Generator().manual_seed(epoch.index)
        self.loader = DataLoader(self.data, batch_size=BATCH, shuffle=True, generator=generator)

    def body(self, epoch):
        super().body(epoch)
        self.loader = None


# --- averages, scalers, teachers


class Averaged(Base):
    settings = {"multi_avg_fn": get_ema_multi_avg_fn(0.9)}  # noqa: RUF012

    def prepare(self):
        self.average = AveragedModel(self.model, **self.settings)

    def state(self):
        return {**super().state(), "average": self.average}

    def update(self, epoch):
        self.optimizer.step()
        self.average.update_parameters(self.model)


@situation("averaged weights")
class KnownAverage(Averaged):
    goes_back = True


@situation("averaged weights and buffers")
class AverageOfAll(Averaged):
    settings = {"use_buffers": True}  # noqa: RUF012


@situation("averaged weights that are not registered", refused="a AveragedModel went on")
class UnknownAverage(Averaged):
    def state(self):
        return Base.state(self)


@situation("averaged weights that leave out probes, not registered")
class CarefulAverage(Averaged):
    def state(self):
        return Base.state(self)

    def update(self, epoch):
        self.optimizer.step()
        if epoch.kind != "probe":
            self.average.update_parameters(self.model)


@situation("stochastic weight averaging")
class Swa(Averaged):
    settings = {}  # noqa: RUF012

    def make_scheduler(self):
        return SWALR(self.optimizer, 0.05, anneal_epochs=3)

    def update(self, epoch):
        self.optimizer.step()

    def end(self, epoch):
        self.average.update_parameters(self.model)
        update_bn(self.loader, self.average)


class Shadow:
    """An average of the user's, with a state of its own."""

    def __init__(self, model):
        self.model, self.values, self.decay = model, [p.detach().clone() for p in model.parameters()], np.array(0.9)

    def update(self):
        for value, p in zip(self.values, self.model.parameters(), strict=True):
            value.lerp_(p.detach(), 1 - float(self.decay))
        self.decay *= 0.99

    def state_dict(self):
        return {"values": self.values, "decay": self.decay}

    def load_state_dict(self, state):
        self.values, self.decay = state["values"], state["decay"]


@situation("an average of the user's own")
class OwnAverage(Base):
    def prepare(self):
        self.shadow = Shadow(self.model)

    def state(self):
        return {**super().state(), "shadow": self.shadow}

    def update(self, epoch):
        self.optimizer.step()
        self.shadow.update()


@situation("a teacher that is averaged by hand")
class Teacher(Base):
    def prepare(self):
        self.teacher = copy.deepcopy(self.model)  # its parameters require gradients, and never get any

    def state(self):
        return {**super().state(), "teacher": self.teacher}

    def update(self, epoch):
        self.optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(self.teacher.parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, 0.1)

    def loss(self, x, target):
        return target.cross_entropy(self.model(x)) + (self.model(x) - self.teacher(x).detach()).square().mean()


class Scaled(Base):
    def prepare(self):
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8, growth_interval=2)

    def step(self, epoch, x, target):
        self.optimizer.zero_grad()
        self.scaler.scale(self.loss(x, target)).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()


@situation("a gradient scaler")
class KnownScaler(Scaled):
    goes_back = True

    def state(self):
        return {**super().state(), "scaler": self.scaler}


@situation("a gradient scaler that is not registered", refused="a GradScaler went on")
class UnknownScaler(Scaled):
    pass


# --- objects of the user's


class Meter:
    """Holds arrays and None; whether it takes them back is up to a subclass."""

    def __init__(self):
        self.array, self.nothing, self.rng = np.zeros(3), None, np.random.default_rng(0)

    def update(self):
        self.array = self.array + self.rng.random(3)
        self.nothing = None if self.array.sum() < 4 else 1.0  # a number in a probe for the first time

    def state_dict(self):
        return {"array": self.array, "nothing": self.nothing, "rng": self.rng}

    def load_state_dict(self, state):
        vars(self).update(state)


class ForgetsArray(Meter):
    def load_state_dict(self, state):
        self.nothing, self.rng = state["nothing"], state["rng"]


class ForgetsNone(Meter):
    def load_state_dict(self, state):
        self.array, self.rng = state["array"], state["rng"]


class ForgetsGenerator(Meter):
    def load_state_dict(self, state):
        self.array, self.nothing = state["array"], state["nothing"]


def meter(name, make, refused=None):
    class Metered(Base):
        def prepare(self):
            self.meter = make()

        def state(self):
            return {**super().state(), "meter": self.meter}

        def loss(self, x, target):
            self.meter.update()
            return super().loss(x, target) * float(self.meter.array.sum())

    situation(name, refused)(Metered)


meter("arrays, None and a generator in an object", Meter)
meter("an object that forgets its array", ForgetsArray, "ForgetsArray.load_state_dict does not bring back")
meter("an object that forgets its None", ForgetsNone, "ForgetsNone.load_state_dict does not bring back")
meter("an object that forgets its generator", ForgetsGenerator, "ForgetsGenerator.load_state_dict does not bring")


# --- models that are rebuilt on the way: refused


@situation("a layer that is replaced", refused="parameter model.4.0.bias has come since")
class NewHead(Base):
    def begin(self, epoch):
        if epoch.index == 2:
            self.model[4] = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 3))


@situation("weights that are tied on the way", refused="parameter model.3.weight has gone since")
class TiedLater(Base):
    def make_model(self):
        return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3))

    def begin(self, epoch):
        if epoch.index == 2:
            self.model[3].weight = self.model[2].weight


@situation("a hook that is registered on the way", refused=r"state\['model'\]: it was given other parts or hooks since")
class LateHook(Base):
    def begin(self, epoch):
        if epoch.index == 2:
            self.model[4].register_forward_hook(lambda module, x, out: out * 0.9)


@situation("weights that are pruned on the way", refused="has (come|gone) since")
class Pruned(Base):
    def begin(self, epoch):
        if epoch.index == 2:
            prune.l1_unstructured(self.model[4], "weight", 0.5)


@contextlib.contextmanager
def one_process():
    """A process group of one, for the wrapper of distributed training."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


@situation("distributed data parallel")
class Parallel(Base):
    around, keeps_gradients = staticmethod(one_process), True

    def make_model(self):
        return nn.parallel.DistributedDataParallel(super().make_model())

    def step(self, epoch, x, target):
        self.optimizer.zero_grad(set_to_none=False)  # gradients are views into buckets
        self.loss(x, target).backward()
        self.optimizer.step()
        self.scheduler.step()
