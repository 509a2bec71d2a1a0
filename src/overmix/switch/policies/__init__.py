"""Policies: they decide by themselves when Mixup goes off."""

from overmix.switch.policies import baselines as _baselines  # noqa: F401  # they register themselves
from overmix.switch.policies.auto import AutoSwitch
from overmix.switch.policies.registry import register_policy, registered_policies, unregister_policy

__all__ = ["AutoSwitch", "register_policy", "registered_policies", "unregister_policy"]
