import io
import re
from dataclasses import replace

from rich.console import Console

from overmix.cli.tables import recipe_table, summary_table
from overmix.recipes import registered
from overmix.study import Summary
from overmix.study.analyse.record import ConditionSummary, Estimate

CONDITION = ConditionSummary(
    name="Mixup [1]",
    n_seeds=3,
    final=Estimate(0.0912, 0.08, 0.1),
    lowest=Estimate(0.07),
    turning_epoch=Estimate(128),
    depth=Estimate(0.02, 0.01, 0.03),
    verdict="u-shaped",
)


def shown(table, width=160):
    file = io.StringIO()
    Console(file=file, width=width).print(table)
    return file.getvalue()


def cells(table, name):
    """The row of a condition, without the padding of columns."""
    (line,) = (line for line in shown(table).splitlines() if name in line)
    return re.split(r"\s{2,}", line.strip().replace("\N{NO-BREAK SPACE}", " "))


def test_a_condition_in_numbers():
    table = summary_table(Summary(name="a [study]", conditions=(CONDITION,), best="Mixup [1]"))
    assert "a [study], 3 seeds" in shown(table)
    assert cells(table, "Mixup [1]") == ["Mixup [1]", "9.1 %", "8.0…10.0", "128", "2.0 %", "1.0…3.0", "u-shaped"]


def test_what_is_unknown_is_a_dash():
    unknown = ConditionSummary(name="wild", n_seeds=1, n_diverged=1, verdict="undecided")
    table = summary_table(Summary(name="s", conditions=(CONDITION, unknown)))
    assert cells(table, "wild") == ["wild", "–", "–", "–", "–", "–", "undecided, 1 diverged"]
    assert "s, 1–3 seeds" in shown(table)


def test_errors_that_are_no_rates_are_plain_numbers():
    squared = replace(CONDITION, final=Estimate(3012.4, 2950.2, 3080.0), depth=Estimate(115.6, 20.0, 210.0))
    table = summary_table(Summary(name="s", labels="values", unit="value", conditions=(squared,)))
    assert cells(table, "Mixup [1]")[1:6] == ["3,012", "2,950…3,080", "128", "116", "20…210"]
    assert "s, 3 seeds; error: mean squared" in shown(table)
    assert "Mixup [1]" in shown(table, width=80)
    assert "u-shaped" in shown(table, width=80)
    assert "%" not in shown(table).replace("95 %", "")
    retrieval = replace(CONDITION, final=Estimate(0.912, 0.8, 1.0))
    views = summary_table(Summary(name="s", labels="views", unit="value", conditions=(retrieval,)))
    assert cells(views, "Mixup [1]")[1:3] == ["0.912", "0.800…1.000"]


def test_eighty_columns_are_enough():
    table = summary_table(Summary(name="s", conditions=(replace(CONDITION, name="Mixup → ERM @128"),)))
    assert max(map(len, shown(table, width=80).splitlines())) <= 80
    assert "u-shaped" in shown(table, width=80)


def test_every_recipe_has_a_row():
    text = shown(recipe_table(list(registered().values())))
    for name in registered():
        assert name in text
    assert "alpha=1.0" in text
    assert "`" not in text
