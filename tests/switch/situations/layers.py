"""Networks of layers that have a state or a memory of their own."""

import torch
from tests.switch.situations.networks import Net, network
from tests.switch.situations.training import Base, situation
from torch import nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint


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
