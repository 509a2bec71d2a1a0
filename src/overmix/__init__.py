"""overmix: the instrument for over-training with Mixup."""

__version__ = "0.1.0"
