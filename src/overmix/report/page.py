"""The report as one HTML page that needs nothing else: no network, no server, no file beside it.

Whatever comes from a study is escaped: by Jinja where it is text, by ``embed_json`` where it is data for the page's
script. A content security policy allows exactly the page's own scripts, by their hashes, and no request at all.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import jinja2
import polars as pl
import vl_convert
from markupsafe import Markup

from overmix.report import numbers, tables
from overmix.report.charts import (
    EPOCH,
    LABELS,
    Chart,
    axes_charts,
    budget_chart,
    charts_along,
    error_chart,
    other_axes,
    price_charts,
    sweep_chart,
    tracked_charts,
    training_charts,
    truth_words,
)
from overmix.report.look import DARK, FONT, LIGHT, chart_config, css_variables, in_page_colors
from overmix.report.search import search_table, search_words
from overmix.report.shown import Report
from overmix.report.tuned import tuned_notes, tuned_table
from overmix.study import summary_to_json

MAX_PLAIN_CSV = 900_000  # bytes; longer curves are embedded compressed
MAX_CSV = 6_000_000  # bytes, compressed; longer ones stay in the run directory


@dataclass(frozen=True)
class Section:
    """A part of the page: an id, a heading, and charts under it."""

    id: str
    title: str
    charts: Sequence[Chart]


def sections(report: Report) -> list[Section]:
    """Return the study's charts in reading order. A new family of charts is added here.

    Those of ``axes`` are files only: on the page a control draws every curve against another axis.
    """
    errors = [chart for chart in (error_chart(report), sweep_chart(report), budget_chart(report)) if chart]
    return [
        Section("error", "Test error", errors),
        Section("axes", "Against other axes", axes_charts(report)),
        Section("price", "Price", price_charts(report)),
        Section("training", "Training", training_charts(report)),
        Section("tracked", "Why", tracked_charts(report)),
    ]


def render(report: Report, parts: Sequence[Section], stills: dict[str, str]) -> str:
    """Return the page.

    Args:
        report: the study.
        parts: charts by section, from ``sections``.
        stills: charts as SVG by name, shown where scripts do not run; other charts then have their table only.
    """
    strokes = list(report.strokes.values())
    data = {
        "charts": {chart.name: chart.spec for part in parts for chart in part.charts if part.id != "axes"},
        "configs": {"light": chart_config(LIGHT, strokes), "dark": chart_config(DARK, strokes)},
        "conditions": [c.name for c in report.conditions],
        "first": [c.name for c in report.first],
        "axes": _along_axes(report, parts),
    }
    axes = [EPOCH, *other_axes(report)]
    return fill(
        "page.html",
        data,
        report=report,
        sections={part.id: part for part in parts},
        axes=[(axis.key, LABELS[axis]) for axis in axes],
        stills={name: Markup(in_page_colors(svg)) for name, svg in stills.items()},
        panel=tables.panel(report),
        shapes=tables.shape_table(report),
        price=tables.price_table(report),
        comparisons=tables.comparison_table(report),
        rules=tables.rule_table(report),
        search=search_table(report),
        search_words=search_words(report),
        tuned=tuned_table(report),
        tuned_notes=tuned_notes(report),
        seeds=tables.seed_table(report),
        truth=truth_words(report),
        has_erm=any(c.role == "erm" for c in report.conditions),
        few=any(c.method == "curve" for c in report.conditions),
        versions=tables.versions(report),
        bands=sorted({chart.note for part in parts for chart in part.charts}),
        downloads=downloads(report),
        spec=json.dumps(_finite(report.spec), indent=2, ensure_ascii=False, default=str),
    )


def _along_axes(report: Report, parts: Sequence[Section]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return, by axis and name of a chart, what takes its place on the page when that axis is chosen."""
    full = {chart.name for part in parts if part.id == "error" for chart in part.charts}
    return {
        axis.key: {
            name: {
                "spec": chart.spec,
                "caption": f"{chart.caption} {chart.note}" if name in full else chart.caption,
                "file": f"{name}-by-{axis.key}",
            }
            for name, chart in charts_along(report, axis).items()
        }
        for axis in other_axes(report)
    }


def fill(template: str, data: Mapping[str, Any], **values: Any) -> str:
    """Return one of the asset templates as a page: escaped, with style, scripts and their data inside of it.

    Args:
        template: name of the asset.
        data: what the page's script reads.
        **values: what the template shows.
    """
    scripts = [_library(), _asset("page.js")]
    loader = jinja2.FunctionLoader(_asset)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.globals.update(numbers=numbers)
    return environment.get_template(template).render(
        style=Markup(_style()),
        policy=_policy(scripts),
        library=Markup(scripts[0]),
        script=Markup(scripts[1]),
        data=Markup(embed_json(data)),
        **values,
    )


def embed_json(value: Any) -> str:
    r"""Return JSON that is safe inside a script element: no ``<``, ``>`` or ``&`` is left, NaN becomes null.

    Example:
        >>> embed_json({"name": "</script>", "x": float("nan")})
        '{"name":"\\u003c/script\\u003e","x":null}'
    """
    text = json.dumps(_finite(value), allow_nan=False, separators=(",", ":"), default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Download:
    """A file inside the page."""

    filename: str
    label: str
    url: str


def downloads(report: Report) -> list[Download]:
    """Return the curves and the summary as links that hold the files themselves."""
    summary = json.dumps(_finite(summary_to_json(report.summary)), indent=2, ensure_ascii=False).encode()
    links = [download_of("summary.json", "Summary (JSON)", "application/json", summary)]
    csv = report.curves.with_columns(pl.selectors.float().round_sig_figs(6)).write_csv().encode()
    packed = gzip.compress(csv, mtime=0)
    if len(csv) <= MAX_PLAIN_CSV:
        links.append(download_of("curves.csv", "Curves (CSV)", "text/csv", csv))
    elif len(packed) <= MAX_CSV:
        links.append(download_of("curves.csv.gz", "Curves (CSV, compressed)", "application/gzip", packed))
    return links


def download_of(filename: str, label: str, kind: str, content: bytes) -> Download:
    """Return a link that holds the file itself."""
    size = f"{max(1, round(len(content) / 1000)):,} kB"
    return Download(filename, f"{label}, {size}", f"data:{kind};base64,{base64.b64encode(content).decode()}")


@cache
def _library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, bundled offline."""
    script = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _asset(name: str) -> str:
    return resources.files("overmix.report").joinpath("assets", name).read_text(encoding="utf-8")


def _style() -> str:
    dark = css_variables(DARK)
    return (
        f":root {{ color-scheme: light; --font: {FONT}; {css_variables(LIGHT)} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ color-scheme: dark; {dark} }} }}\n"
        f":root[data-theme=dark] {{ color-scheme: dark; {dark} }}\n"
        f"{_asset('page.css')}"
    )


def _policy(scripts: Sequence[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{h}'" for h in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'"
