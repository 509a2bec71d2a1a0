"""One thread, no deadlines, and array shapes checked against their annotations while the tests run."""

import functools
import gc
import os
import sys
import types
import weakref
from collections import Counter
from contextlib import contextmanager

import hypothesis
import jaxtyping
import pytest
import torch
from beartype import beartype
from jaxtyping import install_import_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

torch.set_num_threads(1)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=30)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=100)  # what .ci/run asks for
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


_left_out = {"modules": 0}


def leave_out_imports():
    """Take what imports left out of every later collection, and of every look at what lives: both take a while.

    PyTorch's compiler alone, which the first optimizer imports, has a million objects.
    """
    if len(sys.modules) > _left_out["modules"] + 100:
        gc.collect()
        gc.freeze()
        _left_out["modules"] = len(sys.modules)


def pytest_make_collect_report(collector):
    """Let a file draw the same numbers when it is imported, whatever was imported before it."""
    if isinstance(collector, pytest.Module):
        torch.manual_seed(1)


def pytest_runtest_setup(item):
    """Let every test draw the same numbers each time it runs, and check shapes anew, whatever ran before it."""
    torch.manual_seed(0)
    _calls.clear()
    leave_out_imports()


CHECKED = ["overmix"]
SHAPED = ("Bool[", "Float[", "Int[", "Shaped[", "UInt8[")


def check_shapes(function):
    """Check annotations with a shape in them; a wrong number or string is the code's own business, and has tests."""
    annotations = getattr(function, "__annotations__", {})
    function.__annotations__ = {
        name: hint for name, hint in annotations.items() if any(shaped in str(hint) for shaped in SHAPED)
    }
    return beartype(function)


def only_with_shapes(jaxtyped):
    """Leave functions and classes alone that annotate no shape: a check of nothing takes most of the tests' time."""

    def with_settings(**settings):
        checked = jaxtyped(**settings)

        def decorated(part):
            if not _has_shapes(part):
                return part
            if not isinstance(part, type):
                return checked_once_per_form(part, checked(part)) if isinstance(part, types.FunctionType) else part
            plain = part.__init__
            part = checked(part)
            if part.__init__ is not plain:
                part.__init__ = checked_once_per_form(plain, part.__init__)
            return part

        return decorated

    return with_settings


EVERY = 16
_calls = {}
"""How often each function was called in this test with arguments of one form."""


def checked_once_per_form(plain, checked):
    """Check the first call of a test with arguments of these shapes and dtypes, and every 16th: checks take longer."""

    @functools.wraps(plain)
    def call(*args, **kwargs):
        if torch.compiler.is_compiling():
            return checked(*args, **kwargs)
        form = (plain, *map(_form, args), *map(_form, kwargs.values()))
        count = _calls[form] = _calls.get(form, -1) + 1
        return (plain if count % EVERY else checked)(*args, **kwargs)

    return call


def _form(value):
    shape = getattr(value, "shape", None)
    return type(value) if shape is None else (tuple(shape), value.dtype)


def _has_shapes(part):
    annotated = part.__mro__ if isinstance(part, type) else [part]
    hints = [hint for one in annotated for hint in getattr(one, "__annotations__", {}).values()]
    return any(shaped in str(hint) for hint in hints for shaped in SHAPED)


jaxtyping.jaxtyped = only_with_shapes(jaxtyping.jaxtyped)
_module = types.ModuleType("overmix_shape_checker")
_module.check_shapes = check_shapes
sys.modules[_module.__name__] = _module
install_import_hook(CHECKED, f"{_module.__name__}.check_shapes")


class NoHostSync(TorchDispatchMode):
    """Fails on operations that wait for the device: their result's value or shape must be known on the host.

    What waits by a look at where tensors lie, as on a CPU nothing does, is seen on the device "meta", which has no
    values: there the same fails by itself.
    """

    WAITING = ("_local_scalar_dense", "nonzero", "equal", "masked_select", "_unique", "unique", "repeat_interleave")
    BY_MASK = ("index", "index_put", "index_put_")
    METHODS = ("tolist", "cpu")  # on a CPU they are no operations; numpy() does not wait on a GPU, but fails

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.split("::")[-1]
        by_mask = name in self.BY_MASK and any(at is not None and at.dtype == torch.bool for at in args[1])
        if name.rstrip("0123456789") in self.WAITING or by_mask:
            raise AssertionError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))

    def __enter__(self):
        self._patches = pytest.MonkeyPatch()
        for method in self.METHODS:
            self._patches.setattr(torch.Tensor, method, functools.partialmethod(self._refuse, method))
        return super().__enter__()

    def __exit__(self, *error):
        self._patches.undo()
        return super().__exit__(*error)

    @staticmethod
    def _refuse(tensor, method, *args, **kwargs):
        raise AssertionError(f"{method} waits for the device")


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of the tensors that operations made and that live, and the most of them at one time."""

    def __init__(self):
        super().__init__()
        self.peak, self._users = 0, Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {_memory_of(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        for made in tree_leaves(result):
            if isinstance(made, torch.Tensor) and (_memory_of(made) not in given or _memory_of(made) in self._users):
                self._users[_memory_of(made)] += 1
                weakref.finalize(made, self._drop, _memory_of(made))
        self.peak = max(self.peak, sum(size for _, size in self._users))
        return result

    def _drop(self, memory):
        self._users[memory] -= 1
        if not self._users[memory]:
            del self._users[memory]


def _memory_of(tensor):
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.nbytes()


@pytest.fixture
def peak_memory():
    return PeakMemory()


@pytest.fixture
def no_host_sync() -> NoHostSync:
    return NoHostSync()


@pytest.fixture
def unchecked_shapes():
    """Leave shapes unchecked, for tests of the errors that users get, who run without these checks."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def where_data_are():
    """Run a block; where no package of this machine has its data, as the error says with the remedy, skip the test."""

    from overmix.errors import ConfigError  # after the hook that checks shapes

    @contextmanager
    def block():
        try:
            yield
        except ConfigError as error:
            if "install" not in str(error):
                raise
            pytest.skip(str(error))

    return block
