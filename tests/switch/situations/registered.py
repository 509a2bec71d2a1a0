"""What is beside the model: averages, teachers, scalers, objects of the user's own."""

import copy

import numpy as np
import torch
from tests.switch.situations.training import Base, situation
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn


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
