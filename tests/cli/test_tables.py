import io
import re

from rich.console import Console

from overmix.cli.tables import recipe_table, summary_table
from overmix.recipes import registered
from overmix.study.analyse.record_json import from_json

ROW = {
    "name": "Mixup [1]",
    "n_seeds": 3,
    "n_diverged": 0,
    "final_error": 0.0912,
    "final_error_ci": [0.08, 0.1],
    "lowest_error": 0.07,
    "turning_epoch": 128,
    "depth": 0.02,
    "depth_ci": [0.01, 0.03],
    "verdict": "u-shaped",
}


def summary_of(*rows, **content):
    return from_json({"name": "s", "conditions": rows, "best": None} | content)


def shown(table, width=160):
    file = io.StringIO()
    Console(file=file, width=width).print(table)
    return file.getvalue()


def cells(table, name):
    """The row of a condition, without the padding of columns."""
    (line,) = (line for line in shown(table).splitlines() if name in line)
    return re.split(r"\s{2,}", line.strip().replace("\N{NO-BREAK SPACE}", " "))


def test_a_condition_in_numbers():
    table = summary_table(summary_of(ROW, name="a [study]", best="Mixup [1]"))
    assert "a [study], 3 seeds" in shown(table)
    assert cells(table, "Mixup [1]") == ["Mixup [1]", "9.1 %", "8.0…10.0", "128", "2.0 %", "1.0…3.0", "u-shaped"]


def test_what_is_unknown_is_a_dash():
    unknown = dict.fromkeys(ROW) | {"name": "wild", "n_seeds": 1, "n_diverged": 1, "verdict": "undecided"}
    table = summary_table(summary_of(ROW, unknown))
    assert cells(table, "wild") == ["wild", "–", "–", "–", "–", "–", "undecided, 1 diverged"]
    assert "s, 1–3 seeds" in shown(table)


def test_errors_that_are_no_rates_are_plain_numbers():
    values = {"final_error": 3012.4, "final_error_ci": [2950.2, 3080.0], "depth": 115.6, "depth_ci": [20.0, 210.0]}
    table = summary_table(summary_of(ROW | values, labels="values", unit="value"))
    assert cells(table, "Mixup [1]")[1:6] == ["3,012", "2,950…3,080", "128", "116", "20…210"]
    assert "s, 3 seeds; error: mean squared" in shown(table)
    assert "Mixup [1]" in shown(table, width=80)
    assert "u-shaped" in shown(table, width=80)
    assert "%" not in shown(table).replace("95 %", "")
    views = summary_table(summary_of(ROW | {"final_error": 0.912, "final_error_ci": [0.8, 1.0]}, labels="views"))
    assert cells(views, "Mixup [1]")[1:3] == ["0.912", "0.800…1.000"]


def test_eighty_columns_are_enough():
    table = summary_table(summary_of(ROW | {"name": "Mixup → ERM @128"}))
    assert max(map(len, shown(table, width=80).splitlines())) <= 80
    assert "u-shaped" in shown(table, width=80)


def test_every_recipe_has_a_row():
    text = shown(recipe_table(list(registered().values())))
    for name in registered():
        assert name in text
    assert "alpha=1.0" in text
    assert "`" not in text
