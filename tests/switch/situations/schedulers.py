"""Schedulers of learning rates, per step, per epoch, by a metric."""

from tests.switch.situations.training import EPOCHS, STEPS, Base, situation
from torch.optim import lr_scheduler as schedulers


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
