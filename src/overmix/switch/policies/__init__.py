"""Policies: they decide by themselves when Mixup goes off."""

from overmix.switch.policies.auto import AutoSwitch

__all__ = ["AutoSwitch"]
