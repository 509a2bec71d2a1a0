"""Shaped array types for annotations.

``Float[Tensor, "batch classes"]`` documents a shape. The tests check these shapes while they run (jaxtyping with
beartype); users need neither package, so without jaxtyping the annotation is just the array's type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Shaped, UInt8
else:
    try:
        from jaxtyping import Bool, Float, Int, Shaped, UInt8
    except ImportError:

        class _Unshaped:
            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float = Int = Shaped = UInt8 = _Unshaped

__all__ = ["Bool", "Float", "Int", "Shaped", "UInt8"]
