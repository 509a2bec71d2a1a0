"""One clip for marks that follow one another in a picture and are cut off by the same rectangle.

A renderer paints what is clipped on a canvas of its own, as large as the picture, and Vega clips each mark by itself:
of a figure with eight conditions nearly all the time of a PNG went into that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

_SVG = "http://www.w3.org/2000/svg"
_GROUP, _CLIP = f"{{{_SVG}}}g", "clip-path"
_HERE = (None, "translate(0,0)")
_NOTHING = "nothing"
"""In the place of a clip: an element that paints nothing."""


def share_clips(svg: str) -> str:
    """Return the same picture with fewer clips.

    Example:
        >>> clip = '<clipPath id="{}"><rect x="0" y="0" width="9" height="9"/></clipPath>'
        >>> line = '<g clip-path="url(#{})"><path d="M0,0L9,9"/></g>'
        >>> lines, clips = ("".join(element.format(name) for name in "ab") for element in (line, clip))
        >>> share_clips(f'<svg xmlns="{_SVG}"><g>{lines}</g>{clips}</svg>').count("clip-path=")
        1
    """
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)
    rectangles = {f"url(#{clip.get('id')})": _shape(clip) for clip in root.iter(f"{{{_SVG}}}clipPath")}
    for parent in list(root.iter(_GROUP)):
        _share(parent, rectangles)
    return ElementTree.tostring(root, encoding="unicode")


def _shape(clip: Element) -> str:
    return "".join(ElementTree.tostring(child, encoding="unicode").strip() for child in clip)


def _share(parent: Element, rectangles: Mapping[str, str]) -> None:
    """Put each run of children that are cut off alike into one group that is."""
    runs = [
        (shape, list(run)) for shape, run in groupby(list(parent), key=lambda child: _cut_off_by(child, rectangles))
    ]
    parent[:] = [child for shape, run in runs for child in _one_clip(shape, run)]


def _one_clip(shape: str | None, run: list[Element]) -> list[Element]:
    clipped = [element for child in run for element in _clipped(child)]
    if shape in (None, _NOTHING) or len(clipped) < 2:
        return run
    around = Element(_GROUP, {_CLIP: str(clipped[0].get(_CLIP))})
    for element in clipped:
        del element.attrib[_CLIP]
    around.extend(run)
    return [around]


def _clipped(element: Element) -> Iterator[Element]:
    return (inner for inner in element.iter(_GROUP) if _CLIP in inner.attrib)


def _cut_off_by(element: Element, rectangles: Mapping[str, str]) -> str | None:
    """Return the shape that cuts off all that an element paints, in its parent's coordinates; None if there is none."""
    if _CLIP in element.attrib:
        return rectangles.get(element.attrib[_CLIP]) if element.get("transform") is None else None
    if element.tag != _GROUP:
        painted = element.get("display") != "none" and {"fill", "stroke"} & set(element.attrib)
        return None if painted or element.get("class") not in ("background", "foreground") else _NOTHING
    if element.get("transform") not in _HERE or "opacity" in element.attrib:
        return None
    shapes = {_cut_off_by(child, rectangles) for child in element} - {_NOTHING}
    return _NOTHING if not shapes else shapes.pop() if len(shapes) == 1 else None
