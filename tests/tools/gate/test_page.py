from tools.gate.page import table


def test_table():
    def row(dataset, workers, start, persistent, right):
        cell = {"workers": workers, "start": start, "persistent": persistent}
        return {"framework": "plain loop", "dataset": dataset, **cell, "samples": 8, "right": right}

    result = {
        "passes": "on, off",
        "rows": [
            row("mosaic", 0, "", False, 8),
            row("mosaic", 1, "fork", True, 8),
            row("mosaic", 1, "spawn", True, 7),
            row("RandAugment", 1, "fork", True, 8),
        ],
        "controls": {"a flag": {"samples": 8, "right": 4, "error": None}},
        "versions": {"torch": "2"},
    }
    text = table(result)
    assert "| plain loop | 0 |  | 8 of 8 | 8 of 8 |" in text
    assert "| plain loop | 1 | yes | 16 of 16 | 7 of 8 |" in text
    assert "mosaic and RandAugment together; passes over the data: on, off; torch 2." in text
    assert "- For comparison, a flag: 4 of 8." in text


def test_what_is_kept_has_every_cell_and_every_sample_right():
    from dataclasses import asdict
    from pathlib import Path

    from overmix.study.store.files import read_json
    from tools.gate.measure import SETTINGS
    from tools.gate.page import RESULT

    rows = read_json(Path(__file__).parents[3] / RESULT)["rows"]
    assert [{key: row[key] for key in asdict(SETTINGS[0])} for row in rows] == [asdict(one) for one in SETTINGS]
    assert all(row["samples"] == row["right"] > 0 for row in rows)
