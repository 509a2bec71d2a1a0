"""Versions of frameworks that an integration was tested with."""

from __future__ import annotations

import warnings

_TOLD: set[str] = set()


def warn_if_untested(package: str, version: str, tested: str) -> None:
    """Warn, once in a process, if a framework's version is none of the tested ones.

    Args:
        package: its name.
        version: of what is installed, such as ``"2.6.1"``.
        tested: the tested versions' first numbers, such as ``"2.6"``.

    Example:
        >>> warn_if_untested("lightning", "2.6.1", tested="2.6")
    """
    if version == tested or version.startswith(f"{tested}.") or package in _TOLD:
        return
    _TOLD.add(package)
    message = f"overmix was tested with {package} {tested}, this is {version}: compare a short run with a plain loop"
    warnings.warn(message, UserWarning, stacklevel=3)
