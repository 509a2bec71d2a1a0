"""Show me: charts, and one self-contained page, of a finished study."""

from typing import TYPE_CHECKING

from overmix._lazy import lazily

if TYPE_CHECKING:
    from overmix.report.charts import Chart
    from overmix.report.decision import decision_chart, save_decision
    from overmix.report.figures import readme_figure
    from overmix.report.shown import Report, report_of
    from overmix.report.writing import ReportFiles, write_report

__all__ = [
    "Chart",
    "Report",
    "ReportFiles",
    "decision_chart",
    "readme_figure",
    "report_of",
    "save_decision",
    "write_report",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "charts": ("Chart",),
        "decision": ("decision_chart", "save_decision"),
        "figures": ("readme_figure",),
        "shown": ("Report", "report_of"),
        "writing": ("ReportFiles", "write_report"),
    },
)
