"""The page is whole, safe and readable; how it behaves is for the browser test."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from overmix.report import page
from overmix.report.shown import report_of
from overmix.study.analyse.record_json import from_json

Make = Callable[..., Any]
VOID = {"meta", "link", "input", "img", "br", "hr", "line", "path", "rect"}


class Outline(HTMLParser):
    """What a page consists of: elements with attributes, the text of scripts, and whether elements nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append((self.elements[-1][1].get("type", ""), data))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def render(result: Any) -> str:
    report = report_of(result)
    return page.render(report, page.sections(report), {})


@pytest.fixture(scope="module")
def result(make_result: Make) -> Any:
    return make_result(seeds=5)


@pytest.fixture(scope="module")
def html(result: Any) -> str:
    return render(result)


def test_order_of_the_page(html: str) -> None:
    wanted = ["verdict", "error", "price", "training", "method"]
    assert re.findall(r'<section id="(\w+)"', html) == wanted


def test_verdict_says_what_to_do(html: str, result: Any) -> None:
    verdict = html[html.index('id="verdict"') : html.index('id="error"')]
    advice = result.document["advice"]
    assert advice["sentence"] in verdict
    assert advice["code"] in verdict
    assert f"{100 * advice['gain_over_erm']:.2f}" in verdict
    assert "95 % interval {:.2f} to {:.2f}".format(*(100 * x for x in advice["gain_ci"])) in verdict
    for row in result.document["conditions"]:
        assert f"{100 * row['final_error']:.1f}\u00a0%" in verdict


def test_every_odd_study_makes_a_whole_page(odd_result: Any) -> None:
    outline = Outline(render(odd_result))
    assert outline.open == []
    ids = Counter(attributes["id"] for _, attributes in outline.elements if "id" in attributes)
    assert max(ids.values()) == 1
    assert [kind for kind, _ in outline.scripts] == ["application/json", "", ""]
    json.loads(outline.scripts[0][1])


def test_nothing_is_fetched(html: str) -> None:
    outline = Outline(html)
    for _, attributes in outline.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert attributes.get(name, "data:").startswith("data:")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_policy_allows_these_scripts_only(html: str) -> None:
    outline = Outline(html)
    policy = next(m["content"] for m in outline.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    hashes = {base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for kind, s in outline.scripts if not kind}
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == hashes
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert not any(name.startswith("on") for _, attributes in outline.elements for name in attributes)


def test_size(html: str) -> None:
    assert len(html.encode()) < 2_500_000


def test_headings_and_tables_are_for_everyone(html: str) -> None:
    outline = Outline(html)
    levels = [int(tag[1]) for tag, _ in outline.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(th.get("scope") in ("col", "row") for th in outline.all("th"))
    assert len(outline.all("caption")) == len(outline.all("table"))
    plots = [attributes for _, attributes in outline.elements if "data-chart" in attributes]
    assert len(plots) == 6
    assert all(plot["role"] == "img" and "at the end" in plot["aria-label"] for plot in plots)


def test_numbers_can_be_taken_away(html: str, result: Any) -> None:
    links = {a["download"]: a["href"] for a in Outline(html).all("a") if "download" in a}
    content = {name: base64.b64decode(url.split("base64,")[1]) for name, url in links.items()}
    assert from_json(json.loads(content["summary.json"])) == result.summary
    curves = pl.read_csv(io.BytesIO(content["curves.csv"]), schema_overrides=dict(result.curves.schema))
    assert_frame_equal(curves, result.curves, rel_tol=1e-5)


def test_long_curves_are_packed(result: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_PLAIN_CSV", 1000)
    found = page.downloads(report_of(result))[1]
    assert found.filename == "curves.csv.gz"
    text = gzip.decompress(base64.b64decode(found.url.split("base64,")[1])).decode()
    assert text.count("\n") == result.curves.height + 1
    monkeypatch.setattr(page, "MAX_CSV", 1000)
    assert len(page.downloads(report_of(result))) == 1


def test_names_cannot_break_out() -> None:
    hostile = "</script><script>alert(1)</script><!--\u2028"
    text = page.embed_json({"x": hostile})
    assert "<" not in text
    assert json.loads(text)["x"] == hostile


def test_library_cannot_close_its_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page.vl_convert, "javascript_bundle", lambda _: 'a = "</script><!--"')
    assert page._library.__wrapped__() == 'a = "<\\/script><\\!--"'


def test_same_study_same_page(result: Any, html: str) -> None:
    assert render(result) == html
