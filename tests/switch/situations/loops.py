"""What the loop itself does, and the loaders that it draws from."""

import contextlib
import random

import numpy as np
import torch
from tests.switch.situations.training import BATCH, Base, situation
from torch import nn
from torch.utils.data import DataLoader


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
