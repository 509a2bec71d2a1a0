"""Other optimizers, more than one, wrappers around them, groups that change."""

from collections import OrderedDict

import torch
from tests.switch.situations.training import Base, situation
from torch import nn


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
