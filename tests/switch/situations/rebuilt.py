"""Models that are rebuilt or changed behind the optimizer's back: refused."""

import copy

import torch
from tests.switch.situations.networks import Net, network, of
from tests.switch.situations.training import Base, situation
from torch import nn
from torch.nn.utils import prune


class AveragedParameters(Net):
    def prepare(self):
        self.head2 = copy.deepcopy(self.head)

    def beside(self, h):
        with torch.no_grad():
            self.head2.weight.lerp_(self.head.weight, 0.1)
        return h


@situation("parameters that a forward averages by itself", refused="head2.weight changes, and no registered optimizer")
class WithoutSecondHead(of(AveragedParameters)):
    def make_optimizer(self):
        parameters = [p for name, p in self.model.named_parameters() if "head2" not in name]
        return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


@network("a load_state_dict that does nothing", refused="Forgetful.load_state_dict does not bring back")
class Forgetful(Net):
    def load_state_dict(self, state, *arguments, **settings):
        return None


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
