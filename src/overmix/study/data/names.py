"""What the classes of a data set are called."""

from __future__ import annotations

_NAMES = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "fashion_mnist": (
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
}  # fmt: skip


def class_names(dataset: str, num_classes: int) -> list[str]:
    """Return the names of a data set's classes; their numbers where they have no names.

    Example:
        >>> class_names("fashion_mnist", 10)[1], class_names("digits", 10)[1]
        ('trouser', '1')
    """
    names = _NAMES.get(dataset, ())
    return list(names) if len(names) == num_classes else [str(c) for c in range(num_classes)]
