"""The page in a real browser, from a file, offline: it draws, obeys its controls, and asks nobody for anything."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from overmix.report import page as report_page
from overmix.report.shown import report_of
from overmix.study.analyse.record import Estimate, PolicyChoice, SwitchSearch

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True}
ERROR = "[data-chart=test-error]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def save(result: Any, folder: Path) -> Path:
    report = report_of(result)
    path = folder / "report.html"
    path.write_text(report_page.render(report, report_page.sections(report), {}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def demo(make_result: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(make_result(), tmp_path_factory.mktemp("demo"))


class Visit:
    """A page that was opened, and all that it said and asked for."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]", timeout=60_000)
        self.path = path

    def assert_quiet(self) -> None:
        assert self.said == []
        outside = [url for url in self.asked if not url.startswith(("data:", "blob:"))]
        assert outside == [self.path.as_uri()]

    def curves(self, chart: str = ERROR) -> list[str]:
        """The paths of the lines of a chart."""
        return self.page.eval_on_selector_all(
            f"{chart} .mark-line path", "paths => paths.map(p => p.getAttribute('d'))"
        )

    def colours(self, chart: str = ERROR) -> set[str]:
        return set(
            self.page.eval_on_selector_all(
                f"{chart} .mark-line path", "paths => paths.map(p => p.getAttribute('stroke'))"
            )
        )

    def texts(self, chart: str = ERROR) -> list[str]:
        return self.page.eval_on_selector_all(f"{chart} svg text", "texts => texts.map(t => t.textContent)")

    def overflow(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def settle(self, condition: str, argument: Any = None) -> None:
        self.page.wait_for_function(condition, arg=argument, timeout=20_000)


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    visits: list[Visit] = []

    def open_page(path: Path, **context: Any) -> Visit:
        visits.append(Visit(browser, path, **context))
        return visits[-1]

    yield open_page
    for one in visits:
        one.context.close()


@pytest.mark.parametrize(
    "context", [DESKTOP, PHONE, {**DESKTOP, "color_scheme": "dark"}], ids=["desk", "phone", "dark"]
)
def test_curves_are_there_and_nothing_is_asked_for(visit: Callable[..., Visit], demo: Path, context: Any) -> None:
    seen = visit(demo, **context)
    for chart in ("test-error", "calibration", "cross-entropy", "brier", "training-loss", "training-error"):
        curves = seen.curves(f"[data-chart={chart}]")
        assert len(curves) == 3
        assert all(curve.count("L") > 40 for curve in curves)
    assert seen.page.locator(f"{ERROR} .mark-area path").count() == 3
    assert "turns at epoch 122" in seen.texts()
    assert seen.overflow() == 0
    seen.assert_quiet()


@pytest.fixture(scope="module")
def searched(make_result: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search for the switch, with the choices of two policies, and a training half as long."""
    report = report_of(make_result(seeds=3))
    erm, mixup, switched = report.conditions
    at = [replace(switched, name=f"off @{epoch}", switch_epoch=float(epoch)) for epoch in (16, 64, 128)]
    mixup = replace(mixup, family="mixup", epochs=1000)
    short = replace(mixup, name="short", role="other", epochs=500)
    choices = (
        PolicyChoice("no Mixup", (0, 0, 0), 0.075, Estimate(0.013), 1.0),
        PolicyChoice("patience", (0, 64, 100), 0.065, Estimate(0.003), 1.2),
        PolicyChoice("off @64", (64, 64, 64), 0.063, Estimate(0.001), 1.3, trained=True),
    )
    search = SwitchSearch(128, 0.062, (0, 1, 2), choices)
    summary = replace(report.summary, conditions=(erm, mixup, *at, short), search=search)
    report = replace(report, summary=summary)
    path = tmp_path_factory.mktemp("search") / "report.html"
    path.write_text(report_page.render(report, report_page.sections(report), {}), encoding="utf-8")
    return path


SWEEP = "[data-chart=switch-sweep]"


def test_choices_of_policies_stand_below_the_curve_where_there_is_room(
    visit: Callable[..., Visit], searched: Path
) -> None:
    desk, phone = visit(searched, **DESKTOP), visit(searched, **PHONE)
    names = {"best switch of the grid: 128", "patience: 64 (0–100)", "off @64: 64"}
    assert names <= set(desk.texts(SWEEP))
    assert not names & set(phone.texts(SWEEP))
    for seen in (desk, phone):
        assert "64 (0–100)" in seen.page.inner_text("#error")  # the table has them in any case
        assert seen.overflow() == 0
        seen.assert_quiet()


def test_a_choice_goes_with_its_condition_and_with_the_axis(visit: Callable[..., Visit], searched: Path) -> None:
    seen = visit(searched, **DESKTOP)
    seen.page.click(".chip:has-text('off @64')")
    seen.settle("s => ![...document.querySelectorAll(s + ' text')].some(t => t.textContent === 'off @64: 64')", SWEEP)
    assert "patience: 64 (0–100)" in seen.texts(SWEEP)
    seen.page.click("text=linear")
    seen.settle("s => [...document.querySelectorAll(s + ' text')].some(t => t.textContent === 'switch epoch')", SWEEP)
    assert "patience: 64 (0–100)" in seen.texts(SWEEP)
    seen.assert_quiet()


def test_a_folded_condition_is_drawn_when_its_chip_is_pressed(
    visit: Callable[..., Visit], make_result: Callable[..., Any], tmp_path: Path
) -> None:
    report = report_of(make_result(seeds=3))
    erm, mixup, switched = report.conditions
    others = [replace(switched, name=f"off @{epoch}", switch_epoch=float(epoch)) for epoch in (16, 64, 256, 512)]
    search = SwitchSearch(64, 0.062, (0, 1, 2), (PolicyChoice("no Mixup", (0, 0, 0), 0.075, Estimate(0.013), 1.0),))
    advice = replace(report.advice, condition="off @64")
    summary = replace(report.summary, conditions=(erm, mixup, switched, *others), search=search, advice=advice)
    report = replace(report, summary=summary)
    path = tmp_path / "report.html"
    path.write_text(report_page.render(report, report_page.sections(report), {}), encoding="utf-8")
    seen = visit(path, **DESKTOP)
    before = len(seen.curves())
    seen.page.click("summary:has-text('4 more') >> nth=1")
    chip = seen.page.locator(f".chip:has-text('{switched.name}')")
    assert chip.get_attribute("aria-pressed") == "false"
    chip.click()
    assert chip.get_attribute("aria-pressed") == "true"
    seen.settle(f"s => document.querySelectorAll(s + ' .mark-line path').length > {before}", ERROR)
    assert seen.overflow() == 0
    seen.assert_quiet()


def test_axis_changes_between_log_and_linear(visit: Callable[..., Visit], demo: Path) -> None:
    seen = visit(demo, **DESKTOP)
    before = seen.curves()
    assert "epoch (log scale)" in seen.texts()
    seen.page.click("text=linear")
    seen.settle("s => [...document.querySelectorAll(s + ' text')].some(t => t.textContent === 'epoch')", ERROR)
    assert seen.curves() != before
    seen.page.get_by_text("log", exact=True).click()
    seen.settle("s => document.querySelector(s).textContent.includes('log scale')", ERROR)
    assert seen.curves() == before
    seen.assert_quiet()


@pytest.fixture(scope="module")
def two_sizes(
    make_result: Callable[..., Any], with_axes: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    result = with_axes(make_result(), [3, 6, 3], [(0.05, 1), (0.05, 0.5), (0.05, 1)])
    return save(result, tmp_path_factory.mktemp("sizes"))


def test_all_charts_go_to_another_axis_by_keyboard(visit: Callable[..., Visit], two_sizes: Path) -> None:
    seen = visit(two_sizes, **DESKTOP, accept_downloads=True)
    charts = [f"[data-chart={name}]" for name in ("test-error", "brier", "training-loss")]
    before = [seen.curves(chart) for chart in charts]
    caption = seen.page.locator("#test-error figcaption > p")
    said, label = caption.inner_text(), seen.page.locator(ERROR).get_attribute("aria-label")
    assert "turns at epoch 122" in seen.texts()
    seen.page.focus("input[name=axis]:checked")
    for axis in ("step", "learning rate × steps"):
        seen.page.keyboard.press("ArrowRight")
        for chart in charts:
            seen.settle(
                "([s, t]) => [...document.querySelectorAll(s + ' text')].some(e => e.textContent === t)",
                [chart, f"{axis} (log scale)"],
            )
        assert all(seen.curves(chart) != old for chart, old in zip(charts, before, strict=True))
        assert f"against {axis}" in seen.page.locator(ERROR).get_attribute("aria-label")
        assert caption.inner_text() != said
        assert not any(text.startswith("turns at") for text in seen.texts())
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="Save “Test error” as SVG").click()
    assert download.value.suggested_filename == "test-error-by-learning-rate.svg"
    seen.page.keyboard.press("ArrowRight")  # the focus went to the button: nothing changes
    seen.page.focus("input[name=axis]:checked")
    seen.page.keyboard.press("ArrowRight")
    seen.settle(
        "s => [...document.querySelectorAll(s + ' text')].some(e => e.textContent === 'epoch (log scale)')", charts[-1]
    )
    assert [seen.curves(chart) for chart in charts] == before
    assert (caption.inner_text(), seen.page.locator(ERROR).get_attribute("aria-label")) == (said, label)
    seen.assert_quiet()


def test_whole_curve_shows_the_descent(visit: Callable[..., Visit], demo: Path) -> None:
    seen = visit(demo, **DESKTOP)
    assert "60" not in seen.texts()
    seen.page.click("text=whole curve")
    seen.settle("s => [...document.querySelectorAll(s + ' text')].some(t => t.textContent === '60')", ERROR)
    assert {"0", "1", "1,000"} <= set(seen.texts())
    seen.assert_quiet()


def test_conditions_are_switched_on_and_off_everywhere(visit: Callable[..., Visit], demo: Path) -> None:
    seen = visit(demo, **DESKTOP)
    every = seen.colours()
    chip = seen.page.get_by_role("button", name="Mixup", exact=True)
    chip.click()
    assert chip.get_attribute("aria-pressed") == "false"
    seen.settle("s => document.querySelectorAll(s + ' .mark-line path').length === 2", "[data-chart=brier]")
    seen.settle("s => document.querySelectorAll(s + ' .mark-line path').length === 2", ERROR)
    assert len(every - seen.colours()) == 1
    assert not any(text.startswith(("Mixup 9", "turns at")) for text in seen.texts())
    seen.page.click("text=linear")  # a chart drawn anew keeps what is hidden
    seen.settle("s => [...document.querySelectorAll(s + ' text')].some(t => t.textContent === 'epoch')", ERROR)
    assert len(seen.curves()) == 2
    chip.press("Enter")
    seen.settle("s => document.querySelectorAll(s + ' .mark-line path').length === 3", ERROR)
    assert seen.colours() == every
    seen.assert_quiet()


def test_theme_follows_the_system_and_the_button(visit: Callable[..., Visit], demo: Path) -> None:
    seen = visit(demo, **DESKTOP)
    light, paper = seen.colours(), "getComputedStyle(document.body).backgroundColor"
    assert seen.page.evaluate(paper) == "rgb(255, 255, 255)"
    seen.page.get_by_role("button", name="Dark").click()
    seen.settle("([s, c]) => !document.querySelector(s + ` .mark-line path[stroke='${c}']`)", [ERROR, min(light)])
    dark = seen.colours()
    assert not dark & light
    assert seen.page.evaluate(paper) == "rgb(20, 23, 28)"
    seen.page.get_by_role("button", name="Light").click()
    seen.settle("([s, c]) => document.querySelector(s + ` .mark-line path[stroke='${c}']`)", [ERROR, min(light)])
    other = visit(demo, **DESKTOP, color_scheme="dark")
    assert other.colours() == dark
    assert other.page.evaluate(paper) == "rgb(20, 23, 28)"


def test_pointer_brings_up_all_values(visit: Callable[..., Visit], demo: Path) -> None:
    seen = visit(demo, **DESKTOP)
    plot = seen.page.locator(ERROR)
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    for step in range(3):
        seen.page.mouse.move(box["x"] + 0.7 * box["width"] + step, box["y"] + 0.5 * box["height"])
    tooltip = seen.page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for(timeout=10_000)
    lines = tooltip.inner_text().split("\n")
    assert [line.split("\t")[0] for line in lines] == ["epoch", "ERM", "Mixup", "Mixup → ERM @128"]
    assert all("%" in line and "(" in line for line in lines[1:])
    seen.assert_quiet()


def test_code_is_copied(visit: Callable[..., Visit], demo: Path) -> None:
    seen = visit(demo, **DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    seen.page.get_by_role("button", name="Copy").click()
    seen.page.get_by_role("button", name="Copied").wait_for(timeout=10_000)
    copied = seen.page.evaluate("navigator.clipboard.readText()")
    assert copied == "overmix.Epochs(1000, mix=overmix.Mixup(alpha=1.0), switch=overmix.off_at(128))"


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<svg"), ("png", b"\x89PNG")])
def test_chart_is_saved(visit: Callable[..., Visit], demo: Path, kind: str, start: bytes) -> None:
    seen = visit(demo, **DESKTOP, color_scheme="dark", accept_downloads=True)
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name=f"Save “Test error” as {kind.upper()}").click()
    assert download.value.suggested_filename == f"test-error.{kind}"
    content = Path(download.value.path()).read_bytes()
    assert content.startswith(start)
    if kind == "svg":
        assert b"#14171c" not in content  # for paper, whatever the page's theme
    seen.assert_quiet()


def test_charts_follow_the_window(visit: Callable[..., Visit], demo: Path) -> None:
    seen = visit(demo, **DESKTOP)
    seen.page.set_viewport_size({"width": 400, "height": 800})
    seen.settle("s => document.querySelector(s + ' svg').clientWidth <= 400", ERROR)
    assert seen.overflow() == 0
    seen.assert_quiet()


def test_page_speaks_without_scripts(browser: Any, demo: Path) -> None:
    context = browser.new_context(java_script_enabled=False, **PHONE)
    page = context.new_page()
    page.goto(demo.as_uri())
    assert page.locator("h1").inner_text().startswith("Mixup over-trains")
    assert not page.get_by_role("button", name="Copy").is_visible()
    assert not page.locator(".bar").is_visible()
    context.close()


def test_odd_studies_are_shown(visit: Callable[..., Visit], odd_result: Any, tmp_path: Path) -> None:
    seen = visit(save(odd_result, tmp_path), **PHONE)
    assert seen.page.locator(f"{ERROR} svg").count() == 1
    assert seen.overflow() == 0
    assert seen.page.evaluate("window.pwned") is None
    seen.assert_quiet()


def test_explanations_are_drawn_with_their_legends(browser: Any, tmp_path: Path) -> None:
    """Pages of explanations share the script: without chips the colours keep their legend."""
    import numpy as np

    from overmix.report.explain import write_explanation
    from overmix.report.explain.floor import explain_floor
    from overmix.report.explain.heat_map import heat_map

    values, says = np.array([[0.1, 0.4], [0.4, 0.2]]), [["said"] * 2] * 2
    heat = heat_map("heat", "Heat", "c", "n", ["a", "b"], values, says, measure="Noise", subtitle="data")
    made = explain_floor(classes=10)
    files = write_explanation(replace(made, charts=[*made.charts, heat]), tmp_path)
    for context in (DESKTOP, PHONE):
        visit = Visit(browser, files.page, **context)
        for name in ("floor-by-alpha", "heat"):
            assert visit.page.locator(f"[data-chart={name}] svg").count() == 1
        assert visit.page.locator("[data-chart=heat] svg .mark-legend, [data-chart=heat] svg .role-legend").count() >= 1
        visit.page.click("#theme")
        visit.assert_quiet()


def test_pages_of_experiments_are_drawn(browser: Any, tmp_path: Path) -> None:
    from overmix.experiments.reproduce.run import run_experiment

    run_experiment("loss-floor", "smoke", tmp_path)
    for context in (DESKTOP, {**PHONE, "color_scheme": "dark"}):
        visit = Visit(browser, tmp_path / "report.html", **context)
        assert visit.page.locator("h1").inner_text().startswith("Does the training loss have the floor")
        for name in ("floor-by-alpha", "digits-mlp-loss"):
            assert len(visit.curves(f"[data-chart={name}]")) == 2
        before = visit.colours("[data-chart=digits-mlp-loss]")
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Enter")
        visit.settle(
            "c => ![...document.querySelectorAll('.mark-line path')].some(p => c.includes(p.getAttribute('stroke')))",
            sorted(before),
        )
        assert visit.overflow() == 0
        visit.assert_quiet()
        visit.context.close()
