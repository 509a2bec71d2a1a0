"""The page, the cards and the words that the numbers choose."""

import json
import re

import pytest

from overmix.errors import OvermixError
from overmix.experiments.census.rows import ROWS
from tools.census.cards import PART, with_section
from tools.census.cells import CELLS, at_epoch, auto_switch, best_switch, compared, depth, gain
from tools.census.findings import cost_of_it, decided_anyway, findings, mindeye
from tools.census.page import CARDS, CENSUS, FIGURE, PAGE, RESULTS, STAYS_MIXED, SWITCH_PAGE, page, read_rows


def named(rows, name):
    return next(row for row in rows if row["name"] == name)


def set_difference(row, a, b, difference, p_value):
    found = compared(row, a, b)
    found |= {"difference": difference, "ci": [difference - 0.01, difference + 0.01], "p_value": p_value}


def test_every_cell_of_the_page_is_filled(rows):
    lines = [line for line in page(rows, []).splitlines() if line.startswith("|")]
    assert len(lines) > 2 * len(rows)
    assert not any("None" in line or "nan" in line for line in lines)


def test_tables_are_regular(rows):
    for block in re.findall(r"(?:^\|.*\n)+", page(rows, []), flags=re.MULTILINE):
        assert len({line.count(" | ") for line in block.splitlines()}) == 1


def test_recipes_are_shown_with_their_parameters(rows):
    (line,) = [line for line in page(rows, []).splitlines() if "BetaCoefficient(alpha=50.0" in line]
    assert line.startswith("| Mixup-half |")
    (line,) = [line for line in page(rows, []).splitlines() if "temperature 0.1" in line]
    assert line.startswith("| MixCo |")


def test_what_was_not_measured_is_named(rows):
    assert "**Not measured yet:** LISA, LossMix." in page(rows, ["LISA", "LossMix"])
    assert "Not measured yet" not in page(rows, [])


def test_shares_are_percent_and_values_are_not(rows):
    row, value = named(rows, "Mixup-half"), named(rows, "CMixup")
    row["diagnosis"]["on"] |= {"depth": 0.0123, "depth_ci": [0.01, 0.02]}
    value["diagnosis"]["on"] |= {"depth": 0.0123, "depth_ci": [0.01, 0.02]}
    assert depth(row) == "1.2 [1.0 to 2.0]"
    assert depth(value) == "0.012 [0.010 to 0.020]"
    assert CELLS["recipe"](row).endswith("%")
    assert not CELLS["recipe"](value).endswith("%")


def test_a_gain_is_positive_where_the_error_is_lower(rows):
    row = named(rows, "Mixup-half")
    row["best"] = row["grid"][1]
    set_difference(row, "best", "on", -0.024, 0.001)
    assert gain(row, "best", "on") == "2.4 [1.4 to 3.4]"


def test_the_ends_of_the_grid_have_names(rows):
    row = named(rows, "CMixup")
    row["best"] = 0
    assert best_switch(row).endswith("never on")
    row["best"] = row["grid"][-1]
    assert best_switch(row).endswith("never off")
    assert gain(row, "best", "on") == "–"
    assert at_epoch(row, row["grid"][1]) == f"at {row['grid'][1]}"


def test_autoswitch_says_its_median_epoch_and_cost(rows):
    row = named(rows, "CMixup")
    row["auto"] = {"switch_at": [3, 4, 5], "cost": [1.2, 1.3, 1.25]}
    assert auto_switch(row).endswith("at 4, cost 1.25")


def test_findings_name_the_rows_by_their_verdicts(rows):
    for row, verdict in zip(rows, ("u-shaped", "monotone", "undecided", "u-shaped"), strict=True):
        row["diagnosis"]["on"]["verdict"] = verdict
        row["diagnosis"]["erm"]["verdict"] = "monotone"
    rows[3]["diagnosis"]["erm"]["verdict"] = "u-shaped"
    said = "\n".join(findings(rows))
    assert f"**U-shaped**, 2 of 4: {rows[0]['name']}, {rows[3]['name']}." in said
    assert f"has a U too in {rows[3]['name']}." in said
    assert f"**Monotone**, 1: {rows[1]['name']}." in said


def test_better_and_worse_are_said_only_where_all_comparisons_together_allow_it(rows):
    # Four comparisons: 0.03 alone would do, corrected it does not.
    for row, p in zip(rows, (0.001, 0.001, 0.03, 0.9), strict=True):
        row["diagnosis"]["on"]["delta"] = 0.01
        set_difference(row, "auto", "on", -0.1, p)
    set_difference(rows[1], "auto", "on", 0.1, 0.001)
    said = "\n".join(findings(rows))
    assert f"**AutoSwitch against the recipe all along**: better in 1 ({rows[0]['name']}), worse in 1" in said


def test_sure_differences_that_hardly_matter_are_called_small(rows):
    for row, difference in zip(rows, (-0.1, -0.001, 0.0, 0.0), strict=True):
        row["diagnosis"]["on"]["delta"] = 0.01
        set_difference(row, "auto", "on", difference, 1e-6 if difference else 1.0)
    said = "\n".join(findings(rows))
    assert f"all along**: better in 2 ({rows[0]['name']}, {rows[1]['name']} (small)), worse in 0 (none)" in said


@pytest.mark.parametrize(
    ("difference", "p_value", "answer"), [(-0.1, 1e-6, "Yes"), (0.1, 1e-6, "No"), (-0.1, 0.5, "No")]
)
def test_the_answer_on_mindeye_is_that_of_the_numbers(rows, difference, p_value, answer):
    named(rows, "MixCo")["diagnosis"]["on"]["delta"] = 0.01
    set_difference(named(rows, "MixCo"), "third", "on", difference, p_value)
    said = "\n".join(mindeye(rows, "Limits."))
    assert f"**Does it hold here?** {answer}:" in said
    assert ("worse in MixCo" in said) == (difference > 0)


def test_where_it_stays_mixed_the_page_says_how_far_off_it_ended(rows):
    value, contrast = named(rows, "CMixup"), named(rows, "MixCo")
    value["final"][f"off@{value['grid'][-1]}"]["mean"] = 0.5
    set_difference(value, "auto", "on", 0.1, 1e-6)
    set_difference(contrast, "auto", "on", -0.03, 1e-6)
    said = decided_anyway(rows)
    assert "above mixing to the end with CMixup (by 20\u00a0% of the error)" in said
    assert "below it with MixCo (by 3.0 points); with none the two" in said
    set_difference(contrast, "auto", "on", -0.03, 0.9)
    assert "below it with none; with MixCo the two are not told apart" in decided_anyway(rows)


def test_mixing_is_called_a_remedy_only_where_the_plain_loss_over_trains_more(rows):
    row = named(rows, "MixCo")
    row["diagnosis"]["on"]["depth_ci"] = [0.08, 0.12]
    for plain, remedy in (([0.13, 0.2], True), ([0.1, 0.2], False), ([0.01, 0.02], False)):
        row["diagnosis"]["erm"]["depth_ci"] = plain
        assert ("is a remedy" in "\n".join(mindeye(rows, "Limits."))) == remedy


def test_the_answer_needs_its_rows(rows):
    assert mindeye([named(rows, "CMixup")], "Limits.") == ["Not measured yet."]


def test_the_time_is_the_sum_of_all_rows(rows):
    for row in rows:
        row["core_seconds"] = 1800.0
    assert "2 h 0 min of one core in 4 rows" in "\n".join(cost_of_it(rows))


def test_a_card_keeps_everything_but_its_section(rows):
    card = f"# CMixup\n\nbefore\n\n{PART.begin}\nold\n{PART.end}\nafter\n"
    written = with_section(card, [named(rows, "CMixup")])
    assert written.startswith("# CMixup\n\nbefore\n\n")
    assert written.endswith(f"{PART.end}\nafter\n")
    assert "old" not in written
    assert "**Measured over-training.**" in written
    assert with_section(written, [named(rows, "CMixup")]) == written


def test_a_card_without_markers_is_refused(rows):
    with pytest.raises(OvermixError, match="lacks the markers"):
        with_section("# CMixup\n", [named(rows, "CMixup")])


def laptop(folder, rows, names):
    """Write rows as if they came from the laptop."""
    for row in ROWS:
        if row.name in names:
            found = {**named(rows, row.name), "digest": row.digest()}
            (folder / f"{row.name}.json").write_text(json.dumps(found))


def test_only_rows_of_this_version_are_read(rows, tmp_path):
    laptop(tmp_path, rows, ["CMixup", "MixCo"])
    path = tmp_path / "MixCo.json"
    path.write_text(path.read_text().replace(json.loads(path.read_text())["digest"], "old"))
    found, missing = read_rows(tmp_path)
    assert [row["name"] for row in found] == ["CMixup"]
    assert "MixCo" in missing
    assert len(missing) == len(ROWS) - 1


def test_page_picture_and_cards_are_made_together(rows, tmp_path):
    for folder in (CARDS, RESULTS):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("cmixup", "mixco"):
        (tmp_path / CARDS / f"{name}.md").write_text(f"# card\n\n{PART.begin}\n{PART.end}\n")
    (tmp_path / SWITCH_PAGE).write_text(f"{STAYS_MIXED.begin}\n{STAYS_MIXED.end}\n")
    laptop(tmp_path / RESULTS, rows, ["CMixup", "MixCo"])
    texts = CENSUS.texts(tmp_path)
    assert CENSUS.pictures(tmp_path)[FIGURE].startswith(b"\x89PNG")
    assert f"]({FIGURE.name})" in texts[PAGE]
    assert "regression: diabetes" in texts[CARDS / "cmixup.md"]
    assert "retrieval: halves of digits" in texts[CARDS / "mixco.md"]
    assert "Told to decide all the same" in texts[SWITCH_PAGE]


def test_an_empty_folder_says_what_to_run(tmp_path):
    with pytest.raises(OvermixError, match="run overmix census"):
        CENSUS.texts(tmp_path)
