"""Reads YAML as its authors mean it: plain values only, no key twice, 1e-3 is a number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from overmix.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which builds no objects, stricter with keys and with YAML 1.2's floats."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice: PyYAML would silently keep the last one."""
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value} is there twice", problem_mark=key.start_mark
                )
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


# YAML 1.1, which PyYAML implements, wants a dot and a sign: 1e-3 would be text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def read_yaml(path: Path) -> Any:
    """Return what a YAML (or JSON) file holds.

    Raises:
        ConfigError: if it cannot be read, or :func:`parse_yaml` refuses it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError("study file", str(path), f"it cannot be read ({error.strerror}): give a YAML file") from None
    except UnicodeDecodeError:
        raise ConfigError("study file", str(path), "it is no text in UTF-8: give a YAML file") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, path: str) -> Any:
    """Return what a text in YAML says.

    Args:
        text: the text.
        path: where it stands, for errors.

    Raises:
        ConfigError: if it is no YAML, has a key twice, or asks for objects to be built.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise ConfigError("study file", path, "it is nested too deeply: write fewer levels") from None
    except yaml.constructor.ConstructorError as error:
        remedy = "write plain text, numbers, lists and mappings, each key once"
        raise ConfigError("study file", path, f"{_place(error)}{error.problem}: {remedy}") from None
    except (yaml.YAMLError, ValueError) as error:
        # ValueError: a date such as 2024-13-45 looks like one to YAML, and is none.
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise ConfigError(
            "study file", path, f"{_place(error)}{problem}: check indentation, colons and quotes"
        ) from None


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: " if mark is not None else ""
