"""Networks whose forward does something beside: to buffers, attributes and modes."""

import copy
import random
from collections import deque

import numpy as np
import torch
from tests.switch.situations.training import STEPS, Base, situation
from torch import nn


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
