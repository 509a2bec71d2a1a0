import numpy as np
import pytest

from tools.should_i_mix import clustered_interval, content, in_short


def row(policy, cell, error, over_erm):
    p_worse = 0.01 if over_erm > 0.01 else 0.03 if over_erm > 0 else 1.0  # of three, only the first holds after Holm
    return {"policy": policy, "cell": cell, "error": error, "over_erm": over_erm, "p_worse": p_worse}


def test_each_policy_is_counted_against_plain_training():
    cells = [
        {"name": name, "seeds": 8, "switch_epochs": [0, 150, 300]}
        for name in (
            "wine100-mlp-Mixup-constant-300",
            "wine100-mlp-Mixup-cosine-300",
            "digits200-mlp-Mixup-constant-300",
        )
    ]
    rows = []
    for policy in ("Mixup to the end", "off at 50 %", "off at 75 %", "AutoSwitch"):
        # Plain training has 10 %; half a point is 5 % of it, and what matters.
        gaps = (-0.006, -0.006 if policy == "off at 50 %" else 0.004, 0.02)
        rows += [row(policy, cell["name"], 0.1 + d, d) for cell, d in zip(cells, gaps, strict=True)]
    text = content({"cells": cells, "rows": rows})
    assert "3 trainings on 2 data sets (digits, wine), 100 to 200 training samples, 300 to 300 epochs" in text
    # Drawn with both of its data sets, or with one of them twice: −0.1 (wine) or 2.0 points (digits).
    short = " ".join(in_short({"cells": cells, "rows": rows}).split())
    assert short.endswith("; with Mixup off at half 1 ended worse and 2 better; with AutoSwitch 1 worse and 1 better.")
    assert "| AutoSwitch | 1 | 1 | 1 | 1 | 0.6 [−0.1 to 2.0] points |" in text


def test_trainings_of_one_data_set_count_as_one():
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=12), 10)
    low, high = clustered_interval(values.tolist(), [str(i // 10) for i in range(120)])
    once_each = values[::10]
    half_width = 1.96 * once_each.std() / np.sqrt(12)
    assert (high - low) / 2 == pytest.approx(half_width, rel=0.1)
    assert low < once_each.mean() < high
