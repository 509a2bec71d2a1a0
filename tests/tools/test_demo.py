import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_committed_demo_shows_the_u_and_the_cure():
    summary = json.loads((ROOT / "results" / "demo.json").read_text(encoding="utf-8"))
    rows = {row["role"]: row for row in summary["conditions"]}
    assert rows["mixup"]["verdict"] == "u-shaped"
    assert rows["mixup"]["depth_ci"][0] > 0.005
    assert rows["erm"]["verdict"] != "u-shaped"
    switched = rows["switched"]["name"]
    finals = {row["name"]: row["final_error"] for row in summary["conditions"]}
    (auto,) = [row["name"] for row in summary["conditions"] if row["decided"]]
    assert abs(finals[auto] - finals[switched]) <= 0.003
    for pair in summary["comparisons"]:
        if switched in (pair["a"], pair["b"]) and auto not in (pair["a"], pair["b"]):
            sign = 1 if pair["a"] == switched else -1
            low, high = sorted(sign * bound for bound in pair["ci"])
            assert high < 0, f"{pair} does not favour the switch"
            assert low < high
