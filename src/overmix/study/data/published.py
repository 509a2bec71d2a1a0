"""Whether the files of a published data set are complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from overmix.errors import DataError

SMALL = 5000
"""Files that all hold fewer images than this were made for trying things out, and may have any size."""


def check_files(
    batches: Mapping[Path, tuple[np.ndarray, np.ndarray]], published: Sequence[int], equal: Sequence[Path] = ()
) -> None:
    """Refuse files that are not whole: in a file cut between two images, nothing else looks wrong.

    Args:
        batches: images and labels by file.
        published: number of images of each file, as published.
        equal: small files that must hold equally many images.

    Raises:
        DataError: if the images and labels of one file differ in number, or the files are neither as long as published
            nor all small.
    """
    for file, (images, labels) in batches.items():
        if len(images) != len(labels):
            raise DataError(
                f"data.path {file}: {len(images)} images and {len(labels)} labels do not belong together: "
                "fetch it again"
            )
    counts = {file: len(images) for file, (images, _) in batches.items()}
    if max(counts.values()) >= SMALL:
        wanted = dict(zip(counts, published, strict=True))
    else:
        wanted = {file: max(counts[other] for other in equal) if file in equal else counts[file] for file in counts}
    for file, count in counts.items():
        if count != wanted[file]:
            raise DataError(f"data.path {file}: it holds {count} images, not {wanted[file]}: fetch it again")
