"""Types for annotations that need no PyTorch to import: shaped arrays, and what a label is.

``Float[Tensor, "batch classes"]`` documents a shape. The tests check these shapes while they run (jaxtyping with
beartype); users need neither package, so without jaxtyping the annotation is just the array's type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

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

LabelKind = Literal["classes", "rows", "values", "views"]
"""What a label is: a class, a row of 0 and 1 (several labels at once), one or more real values, or a second view."""

__all__ = ["Bool", "Float", "Int", "LabelKind", "Shaped", "UInt8"]
