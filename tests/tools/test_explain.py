from pathlib import Path

import pytest

from tools.explain import SHOWN, read_results

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results():
    return read_results(ROOT)


def test_every_figure_of_the_page_is_there():
    text = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    for name, charts in SHOWN.items():
        for chart in charts:
            file = f"explain/{name}-{chart}.png"
            assert f"({file})" in text
            assert (ROOT / "docs" / file).read_bytes().startswith(b"\x89PNG")


def test_what_the_page_says_of_the_controls_is_what_was_measured(results):
    """The prose is written by hand: if the numbers change their mind, it must too."""
    generic, realizable = (results["dynamics"]["conditions"][teacher] for teacher in ("generic", "realizable"))
    assert generic["mixup"]["verdict"] == generic["mixup_true_labels"]["verdict"] == "u-shaped"
    assert realizable["mixup"]["verdict"] == "u-shaped"
    assert realizable["mixup_true_labels"]["verdict"] == "monotone"
    assert generic["fresh"]["verdict"] == "monotone"
    assert results["dynamics"]["bound"]["holds"]
    bound = results["dynamics"]["bound"]
    assert bound["best_step_of_risk"]["median"] - bound["best_step_of_bound"]["median"] > 2000
    for gain in ("gain_over_erm", "gain_over_mixup"):
        assert results["dynamics"]["switch"][gain]["ci"][0] > 0


def test_the_closed_form_agrees_and_is_faster_in_the_committed_benchmark(results):
    toy, large = results["speed"]["toy"], results["speed"]["large"]
    assert toy["steps"] == 100_000
    assert max(toy["largest_relative_difference"].values()) < 1e-8
    assert min(toy["times_faster"].values()) > 10
    assert (large["features"], large["samples"]) == (4000, 20_000)
    assert large["peak_memory_mib"] < 8192
