import io

import numpy as np
import pytest
import vl_convert
from PIL import Image

from overmix.report.clips import share_clips
from overmix.report.figures import to_svg

LINES = {"mark": {"type": "line", "clip": True}, "encoding": {"color": {"field": "c"}}}
AREA = {"mark": {"type": "area", "clip": True, "fillOpacity": 0.3}, "encoding": {"color": {"field": "c"}}}
TEXT = {"mark": {"type": "text", "dx": 20}, "encoding": {"text": {"field": "c"}}}
RULE = {"mark": {"type": "rule", "clip": True}, "encoding": {}}


def picture(svg):
    with Image.open(io.BytesIO(vl_convert.svg_to_png(svg, scale=2.0))) as image:
        return np.asarray(image.convert("RGB"), dtype=int)


@pytest.mark.parametrize("layers", [[AREA, LINES, RULE], [LINES, TEXT, AREA], [TEXT], [LINES, TEXT, RULE, TEXT, LINES]])
def test_the_picture_is_the_same_with_fewer_clips(layers):
    rows = [{"x": x, "y": (x - 3) ** 2 + 4 * c, "c": f"condition <{c}>"} for x in range(8) for c in range(3)]
    axis = {"scale": {"domain": [1, 6]}, "type": "quantitative"}  # some of it lies outside and is cut off
    encoding = {"x": {"field": "x", **axis}, "y": {"field": "y", **axis}}
    plain = to_svg({"data": {"values": rows}, "width": 150, "height": 120, "encoding": encoding, "layer": layers})
    shared = share_clips(plain)
    assert shared.count("clip-path=") <= min(plain.count("clip-path="), len(layers))
    # What overlaps is blended once more: eight bits round twice.
    assert np.abs(picture(shared) - picture(plain)).max() <= 3


def test_different_rectangles_and_moved_groups_stay_apart():
    def clipped(name, more=""):
        return f'<g clip-path="url(#{name})"{more}><path d="M0,0L9,9"/></g>'

    def clip(name, width):
        return f'<clipPath id="{name}"><rect x="0" y="0" width="{width}" height="9"/></clipPath>'

    def count(*groups):
        clips = clip("a", 5) + clip("b", 5) + clip("c", 4)
        svg = f'<svg xmlns="http://www.w3.org/2000/svg"><g>{"".join(groups)}</g>{clips}</svg>'
        return share_clips(svg).count("clip-path=")

    assert count(clipped("a"), clipped("b")) == 1
    assert count(clipped("a"), clipped("c")) == 2
    assert count(clipped("a"), clipped("b", ' transform="translate(1,0)"')) == 2
    assert count(clipped("a"), f'<g transform="translate(1,0)">{clipped("b")}</g>') == 2
    assert count(clipped("a"), '<path fill="red" d="M0,0L9,9"/>', clipped("b")) == 2
    assert count(clipped("a"), f'<g opacity="0.5">{clipped("b")}</g>') == 2
