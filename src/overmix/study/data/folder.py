"""A folder of images: a folder for each class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overmix.errors import ConfigError, DataError, MissingExtraError
from overmix.study.data.dataset import Dataset, dataset_of, with_validation
from overmix.study.data.set_aside import check_test_size, set_aside

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
"""Files that are images; others are not looked at."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
_MOST_BYTES = 8 << 30


@dataclass(frozen=True)
class ImageFolder:
    """What lies in a folder of images.

    Args:
        classes: names of the classes, sorted.
        files: per part (``train``, perhaps ``val`` and ``test``) the images with the numbers of their classes.
    """

    classes: tuple[str, ...]
    files: dict[str, list[tuple[Path, int]]]


def folder(path: str = "", size: int = 32, grey: bool = False, test_size: float = 0.25) -> Dataset:
    """Read images from a folder that has one folder for each class, or ``train``, ``test`` and ``val`` with those.

    Every image is cut to a square around its middle and resized, so that all have one shape, (3, size, size) or, grey,
    (1, size, size), uint8. Images of ``val`` are the validation split of every seed.

    Args:
        path: the folder.
        size: side of the images, in pixels.
        grey: whether colours are left out.
        test_size: without a folder ``test``, the share that is set aside for testing, of every class alike, the same
            for every seed.

    Raises:
        ConfigError: if there is no such folder, or a setting cannot work.
        DataError: if an image cannot be read, or the folders are no classes.
        MissingExtraError: if Pillow is not installed.
    """
    check_test_size(test_size)
    if not 1 <= size <= 1024:
        raise ConfigError("data.size", size, "use a side of 1 to 1024 pixels")
    images = list_images(path)
    count = sum(map(len, images.files.values()))
    if count * size * size * (1 if grey else 3) > _MOST_BYTES:
        raise ConfigError("data.size", size, f"{count} images of this size take more than 8 GiB: use a smaller one")
    arrays = {part: _arrays(files, size, grey=grey) for part, files in images.files.items()}
    x, y = arrays["train"]
    x_test, y_test = arrays.get("test", (x[:0], y[:0]))
    whole = dataset_of("folder", x, y, x_test, y_test, len(images.classes))
    whole = replace(whole, class_names=images.classes)
    if "test" not in arrays:
        whole = set_aside(whole, test_size, f"data.path {path}: the folder")
    return with_validation(whole, *arrays["val"]) if "val" in arrays else whole


def list_images(path: str) -> ImageFolder:
    """Return the images in a folder, by part and class, without opening them.

    Raises:
        ConfigError: if there is no such folder.
        DataError: if it has no classes, or a class that is tested on but not trained on.
    """
    if not path:
        raise ConfigError("data.path", path, "name the folder: data: {name: folder, path: my-images}")
    root = Path(path).expanduser()
    if not root.is_dir():
        raise ConfigError("data.path", path, "there is no such folder: name one with a folder for each class")
    field = f"data.path {path}"
    parts = _parts(root)
    if "train" not in parts and parts:
        raise DataError(f"{field}: it holds {'/, '.join(parts)}/ but no train/: name the folder of the images train")
    parts = parts or {"train": root}
    classes = tuple(sorted(entry.name for entry in parts["train"].iterdir() if _is_class(entry)))
    if len(classes) < 2:
        raise DataError(
            f"{field}: {len(classes)} of its folders hold images: make a folder for each class, at least two, "
            f"{parts['train'].name}/cats/1.jpg"
        )
    return ImageFolder(classes, {part: _files_of(place, classes, part, field) for part, place in parts.items()})


def _parts(root: Path) -> dict[str, Path]:
    """Return the folders of training, validation and test images; empty if the classes are in the folder itself."""
    there = {entry.name.lower(): entry for entry in root.iterdir() if entry.is_dir()}
    named = {part: next((there[name] for name in names if name in there), None) for part, names in _PARTS.items()}
    return {part: place for part, place in named.items() if place is not None and any(map(_is_class, place.iterdir()))}


def _is_class(entry: Path) -> bool:
    return entry.is_dir() and not entry.name.startswith(".") and any(_is_image(file) for file in entry.rglob("*"))


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()


def _files_of(place: Path, classes: Sequence[str], part: str, field: str) -> list[tuple[Path, int]]:
    unknown = sorted(entry.name for entry in place.iterdir() if _is_class(entry) and entry.name not in classes)
    if unknown:
        raise DataError(f"{field}: {part}/ has the class {unknown[0]}, which train/ does not have: remove or add it")
    return [
        (file, number)
        for number, name in enumerate(classes)
        for file in sorted((place / name).rglob("*"))
        if _is_image(file)
    ]


def _arrays(files: Sequence[tuple[Path, int]], size: int, *, grey: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return images, shape (n, channels, size, size), uint8, and their classes."""
    if not files:
        raise DataError("data.path: a part of the folder holds no images: add some, or remove it")
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        pixels = list(pool.map(lambda entry: read_image(entry[0], size, grey=grey), files))
    return np.stack(pixels), np.array([number for _, number in files], dtype=np.int64)


def read_image(file: Path, size: int, *, grey: bool) -> np.ndarray:
    """Return an image, shape (channels, size, size), uint8: its middle, as large as a square can be, resized.

    Raises:
        DataError: if it cannot be read, or has more than eight bits per channel.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtraError("pillow", "study") from None
    try:
        with Image.open(file, formats=_FORMATS) as image:
            if image.mode.startswith(("I", "F")):
                raise DataError(f"data.path {file}: it has more than 8 bits per pixel ({image.mode}): convert it to 8")
            upright = ImageOps.exif_transpose(image)
            plain = _on_black(upright).convert("L" if grey else "RGB")
            square = ImageOps.fit(plain, (size, size), method=Image.Resampling.BILINEAR)
    except DataError:
        raise
    except Exception as error:
        # Damaged files, and those that pretend to be huge, make the reader raise almost anything.
        raise DataError(f"data.path {file}: it cannot be read as an image ({error}): remove or replace it") from None
    pixels = np.asarray(square, dtype=np.uint8)
    return pixels[None] if grey else pixels.transpose(2, 0, 1)


def _on_black(image: Image.Image) -> Image.Image:
    """Return an image whose transparent parts are black, whatever colour lies beneath them."""
    if not image.has_transparency_data:
        return image
    from PIL import Image as images

    seen = image.convert("RGBA")
    return images.alpha_composite(images.new("RGBA", seen.size, (0, 0, 0, 255)), seen)
