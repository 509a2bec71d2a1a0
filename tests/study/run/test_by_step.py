"""Schedules in optimizer steps, in studies."""

import pytest

from overmix.errors import ConfigError
from overmix.study import load_result, run_study
from overmix.switch import OffAtStep, make_schedule


def test_a_study_file_may_name_them(tmp_path, tiny, in_process):
    # Two batches in each of four epochs.
    assert make_schedule({"off_at_step": 5}) == OffAtStep(5)
    compare = [
        {"name": "off", "schedule": {"off_at_step": 5}},
        {"name": "on", "schedule": {"on_from_step": 5}},
        {"name": "half", "schedule": {"off_at": 2}},
        {"name": "half in steps", "schedule": {"off_at_step": 4}},
    ]
    run_study(tiny(compare=compare, seeds=2), tmp_path)
    curves = load_result(tmp_path).curves
    shares = {
        name: curves.filter((curves["condition"] == name) & (curves["seed"] == 0))["mixing"].to_list()
        for name in ("off", "on")
    }
    assert shares == {"off": [1, 1, 0.5, 0], "on": [0, 0, 0.5, 1]}
    one, other = (curves.filter(curves["condition"] == name).drop("condition") for name in ("half", "half in steps"))
    assert one.equals(other)


@pytest.mark.parametrize(
    ("schedule", "message"), [({"off_at_step": 9}, "use at most 8"), ({"on_from_step": 8}, "use fewer than 8")]
)
def test_a_point_beyond_the_end_is_refused(tmp_path, tiny, in_process, schedule, message):
    with pytest.raises(ConfigError, match=rf"schedule.{next(iter(schedule))} = .*{message}"):
        run_study(tiny(compare=[{"schedule": schedule}], seeds=2), tmp_path)
    assert not list(tmp_path.glob("stacks/*"))
