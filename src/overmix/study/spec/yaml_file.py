"""Reads YAML as its authors mean it: plain values only, no key twice, 1e-3 is a number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from overmix.errors import ConfigError
from overmix.files.regular_file import open_regular

_DEEPEST = 50


class _AmbiguousNumberError(yaml.MarkedYAMLError):
    """A number that YAML 1.1 reads in another base than the ten that people mean."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which builds no objects, stricter with keys and with YAML 1.2's floats."""

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        """Refuse brackets within brackets early: PyYAML's time grows with the square of their depth."""
        if self.flow_level > _DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(token)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Refuse ``0144``, which would be octal, and ``1:40``, which would be 100."""
        _check_base(node)
        return super().construct_yaml_int(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """Refuse ``1:40.5``, which would be 100.5."""
        _check_base(node)
        return super().construct_yaml_float(node)

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


def _check_base(node: yaml.ScalarNode) -> None:
    text = node.value
    if ":" in text:
        raise _AmbiguousNumberError(problem=f"{text} would be read in base 60", problem_mark=node.start_mark)
    if re.fullmatch(r"[-+]?0[0-7_]+", text):
        raise _AmbiguousNumberError(problem=f"{text} would be read in base 8", problem_mark=node.start_mark)


# PyYAML calls constructors by the functions that are registered, not by their names.
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)
# YAML 1.1, which PyYAML implements, wants a dot and a sign: 1e-3 would be text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


_MOST_BYTES = 256 << 10
_MOST_NODES = 100_000


def read_yaml(path: Path) -> Any:
    """Return what a YAML (or JSON) file holds.

    Raises:
        ConfigError: if it cannot be read, or :func:`parse_yaml` refuses it.
    """
    try:
        text = _text(path)
    except OSError as error:
        raise _refused(path, f"it cannot be read ({error.strerror}): give a YAML file") from None
    except UnicodeDecodeError:
        raise _refused(path, "it is no text in UTF-8: give a YAML file") from None
    except _TooLargeError as error:
        raise _refused(path, str(error)) from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, path: str) -> Any:
    """Return what a text in YAML says.

    Args:
        text: the text.
        path: where it stands, for errors.

    Raises:
        ConfigError: if it is no YAML, has a key twice, asks for objects to be built, or is larger than any study,
            written out in full.
    """
    try:
        return _loaded(text)
    except RecursionError:
        raise _refused(path, "it is nested too deeply: write fewer levels") from None
    except _TooLargeError as error:
        raise _refused(path, str(error)) from None
    except yaml.constructor.ConstructorError as error:
        remedy = "write plain text, numbers, lists and mappings, each key once"
        raise _refused(path, f"{_place(error)}{error.problem}: {remedy}") from None
    except _AmbiguousNumberError as error:
        remedy = "write a number without leading zeros and colons, or text in quotes"
        raise _refused(path, f"{_place(error)}{error.problem}: {remedy}") from None
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise _refused(path, f"{_place(error)}{problem}: check indentation, colons and quotes") from None


class _TooLargeError(Exception):
    """More than a study file holds."""


def _text(path: Path) -> str:
    with open_regular(path) as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise _TooLargeError(f"it is larger than {_MOST_BYTES >> 10} KiB: give a study file")
    return content.decode("utf-8")


def _loaded(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(node)
        return _constructed(loader, node)
    finally:
        loader.dispose()


def _constructed(loader: _Loader, node: yaml.Node) -> Any:
    try:
        return loader.construct_document(node)
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError):
        # PyYAML's own ways to say that a date is none (2024-13-45), or that !!bool x is no truth value.
        raise yaml.YAMLError from None


def _check_size(root: yaml.Node) -> None:
    """Refuse aliases that stand for more nodes than a study has, before anything is made of them."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = _MOST_NODES + 1  # what a node that contains itself comes to
            pairs = node.value if isinstance(node, yaml.MappingNode) else ()
            items = node.value if isinstance(node, yaml.SequenceNode) else (part for pair in pairs for part in pair)
            sizes[id(node)] = 1 + sum(size(item) for item in items)
        return sizes[id(node)]

    if size(root) > _MOST_NODES:
        raise _TooLargeError(f"with its aliases it has more than {_MOST_NODES} values: write fewer")


def _refused(path: Path | str, remedy: str) -> ConfigError:
    return ConfigError("study file", str(path), remedy)


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: " if mark is not None else ""
