"""The one door to operators that are private to PyTorch or may go: each with a plain twin, which it must equal."""

from overmix.train.kernels import foreach, products
from overmix.train.kernels.elementwise import momentum_step, relu_backward
from overmix.train.kernels.kernel import Kernel

KERNELS: dict[str, Kernel] = {
    "relu_backward": relu_backward,
    "momentum_step": momentum_step,
    "linear": products.linear,
    "product": products.product,
    "scale": foreach.scale,
    "add": foreach.add,
    "lerp": foreach.lerp,
    "add_squares": foreach.add_squares,
    "copy": foreach.copy,
}
"""All of them, by name."""

__all__ = ["KERNELS", "Kernel", "foreach", "momentum_step", "products", "relu_backward"]
