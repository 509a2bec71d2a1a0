"""Seals: a file carries the SHA-256 of its own content, and a file that was changed by a bit is no file any more.

The digest is of the whole content with zeros in the digest's own place, so that each bit of it counts: those of the
header and of the seal itself too. JSON has the seal as its first key, safetensors in the metadata of the header, npz in
the archive's comment; other programs read them as before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_MARK = b"overmix-sha256:"
_ZEROS = b"0" * 64

BLANK = (_MARK + _ZEROS).decode()
"""What stands in the place of the seal until the content is complete."""


def sealed(content: bytes) -> bytes:
    """Return content with its digest in the place of the first :data:`BLANK`.

    Example:
        >>> content = sealed(b'{"seal": "%s", "n": 1}' % BLANK.encode())
        >>> is_intact(content), is_intact(content.replace(b"1}", b"2}"))
        (True, False)
    """
    at = content.index(_MARK + _ZEROS) + len(_MARK)
    return content[:at] + hashlib.sha256(content).hexdigest().encode() + content[at + 64 :]


def is_intact(content: bytes) -> bool:
    """Return whether content is as it was sealed; content without a seal is not."""
    at = content.find(_MARK)
    if at < 0:
        return False
    at += len(_MARK)
    sha = hashlib.sha256(content[:at])
    sha.update(_ZEROS)
    sha.update(memoryview(content)[at + 64 :])
    return content[at : at + 64] == sha.hexdigest().encode()


def has_seal(content: bytes) -> bool:
    """Return whether content was sealed, intact or not; what earlier versions wrote was not."""
    return _MARK in content


def sealed_json(content: Mapping[str, Any]) -> bytes:
    """Return JSON with two spaces of indentation and a seal; NaN is refused, use ``None``."""
    text = json.dumps({"seal": BLANK, **content}, indent=2, ensure_ascii=False, allow_nan=False)
    return sealed(f"{text}\n".encode())
