"""One thread, no deadlines, and array shapes checked against their annotations while the tests run."""

import sys
import types

import hypothesis
import torch
from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import install_import_hook

torch.set_num_threads(1)
hypothesis.settings.register_profile("overmix", deadline=None)
hypothesis.settings.load_profile("overmix")

# Rooms whose annotations are checked. Their protocols must be runtime_checkable.
CHECKED = ["overmix.mix", "overmix.recipes"]

# Only arrays are checked here: what happens to a wrong number or string is the code's own business, and has tests.
_scalars = FrozenDict({int: object, float: object, bool: object, str: object})
_checker = types.ModuleType("overmix_shape_checker")
_checker.check = beartype(conf=BeartypeConf(hint_overrides=_scalars))
sys.modules[_checker.__name__] = _checker
install_import_hook(CHECKED, f"{_checker.__name__}.check")
