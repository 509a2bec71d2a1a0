"""What a study is said to cost, against what it then costs."""

import pytest
import torch

from overmix.study import parse_study, run_study
from overmix.study.data import Dataset
from overmix.study.plan.cells import expand
from overmix.study.plan.cost import as_rows, plan_cost, profile

pytestmark = pytest.mark.usefixtures("in_process")


def images(num_classes=10):
    x = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    return Dataset("images", x, torch.arange(4), x, torch.arange(4), num_classes)


def profile_of(model, **changes):
    spec = parse_study({"data": "cifar10", "model": model, "compare": [{}], "seeds": 1} | changes)
    return profile(expand(spec)[0], images())


def counted(spec, **options):
    return plan_cost(spec, calibration_seconds=0, **options)


COMPARE = {
    "plain": [{"name": "A", "recipe": "NoMixup"}, {"name": "B"}],
    "shared beginnings": [{"name": "A"}, {"name": "B", "schedule": {"off_at": 2}}, {"name": "C", "recipe": "NoMixup"}],
    "budgets": [{"name": "A"}, {"name": "B", "train": {"epochs": 9}}],
    "the same twice": [{"name": "A"}, {"name": "B", "schedule": "always"}],
    "tracked, with AdamW": [{"name": "A", "train": {"track": ["gradient_norm", "memorization"], "optimizer": "adamw"}}],
}


@pytest.mark.slow
@pytest.mark.parametrize("model", [{"hidden": [8]}, {"name": "convnet", "width": 2}], ids=["stacked", "looped"])
@pytest.mark.parametrize("compare", COMPARE.values(), ids=COMPARE)
def test_counts_are_those_of_the_study_that_is_then_run(tiny, tmp_path, compare, model):
    spec = tiny(compare=compare, model=model, seeds=8 if "hidden" in model else 2)
    cost = counted(spec)
    seen = []
    summary = run_study(spec, tmp_path / "run", on_start=seen.append)
    assert cost["runs"] == sum(len(task.cells) for task in seen[0].tasks)
    assert cost["stacks"] == len(seen[0].missing)
    if compare is not COMPARE["the same twice"]:  # the summary counts those once for each name
        assert cost["steps"]["separate"] == summary.steps.separate
        # In this process stacks leave no states to one another: the switched runs would share two epochs of two steps.
        shared = 4 * len(spec.seed_list) if compare is COMPARE["shared beginnings"] else 0
        assert cost["steps"]["trained"] == summary.steps.trained - shared
    stacks = sum(file.stat().st_size for file in (tmp_path / "run" / "stacks").iterdir())
    assert cost["disk_bytes"]["results"] == pytest.approx(stacks, rel=0.25)


def test_a_perceptrons_flops_by_hand():
    pixels, hidden, classes = 3 * 32 * 32, 8, 10
    one = profile_of({"name": "mlp", "hidden": [hidden]})
    forward = 2 * (pixels * hidden + hidden * classes)
    assert one.parameters == pixels * hidden + hidden + hidden * classes + classes
    assert one.forward_flops == forward
    # The gradients of both weights, and of the hidden layer; that of the pixels is not needed.
    assert one.step_flops == forward + forward + 2 * hidden * classes
    assert one.activation_bytes >= 4 * (pixels + hidden)


def test_a_residual_networks_flops_are_the_known_ones():
    one = profile_of("resnet18")
    assert one.parameters == 11_173_962
    assert one.forward_flops == pytest.approx(2 * 0.5556e9, rel=2e-3)  # multiplications and additions apart
    assert 2.9 < one.step_flops / one.forward_flops < 3.0


def test_a_studys_flops_add_up(tiny):
    cost = counted(tiny(model={"hidden": [8]}, data={"name": "digits", "train_size": 64}))
    forward, step = 2 * (64 * 8 + 80), 2 * 2 * (64 * 8 + 80) + 2 * 80
    looks, scored = 4, 1000 + 64
    assert cost["flops"] == 4 * (4 * 64 * step + looks * scored * forward)


def test_runs_that_decide_by_themselves_have_a_bound(tiny, tmp_path):
    spec = tiny(compare=[{"schedule": "auto"}], train={"epochs": 20, "batch_size": 32})
    cost = counted(spec)
    summary = run_study(spec, tmp_path / "run")
    assert cost["steps"]["separate"] == 2 * 20 * 2
    assert summary.steps.separate <= cost["steps"]["separate"] + cost["steps"]["probes_at_most"]
    assert "to decide when to switch" in dict(as_rows(cost))["steps"]


def test_time_comes_from_a_calibration_and_goes_with_the_epochs(tiny):
    threads = torch.get_num_threads()
    short, long = (
        plan_cost(tiny(train={"epochs": n, "batch_size": 32}), calibration_seconds=0.2) for n in (10, 100_000)
    )
    assert 0 < short["seconds"] < long["seconds"]
    assert torch.get_num_threads() == threads
    assert counted(tiny())["seconds"] is None
    assert "time" not in dict(as_rows(counted(tiny())))


def test_larger_stacks_and_data_take_more_memory(tiny):
    few, many = (counted(tiny(seeds=n))["memory_bytes"] for n in (1, 8))
    assert many["activations"] == pytest.approx(4 * few["activations"], abs=4)  # two conditions: stacks of 2 and 8
    assert many["weights"] > few["weights"]
    assert few["per_worker"] == sum(few[key] for key in ("process", "data", "weights", "activations"))
    assert few["data"] == (797 + 1000) * (64 + 8)
