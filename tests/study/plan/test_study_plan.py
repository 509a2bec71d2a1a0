"""What is found out with the data and the models at hand, still before any work."""

import numpy as np
import pytest
import torch

from overmix.errors import ConfigError, DataError
from overmix.study import plan_study
from overmix.study.plan.study_plan import resolve_device


def refused(spec, told, error=ConfigError, allow_code=False):
    with pytest.raises(error) as caught:
        plan_study(spec, allow_code=allow_code)
    assert str(caught.value).startswith(told), caught.value
    assert "\n" not in str(caught.value)


def data(**changes):
    return {"data": {"name": "digits"} | changes}


BATCH = "the last, incomplete batch is dropped, so nothing would be trained"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (data(train_size=0), "data.train_size = 0: use "),
        (data(train_size=-1), "data.train_size = -1: use "),
        (data(train_size=1.5), "data.train_size = 1.5: use "),
        (data(train_size=1.0), "data.train_size = 1.0: use "),
        (data(train_size=0.0), "data.train_size = 0.0: use "),
        (data(train_size=798), "data.train_size = 798: use "),
        (data(train_size=700, val_size=98), "data.train_size = 700: use "),
        (data(val_size=797), "data.val_size = 797: use "),
        (data(train_size=9, balanced=True), "data.train_size = 9: "),
        (data(train_size=20), "data.train_size = 20: class "),
        (data(train_size=785, val_size=0, balanced=True), "data.train_size = 785: class "),
        (
            {"train": {"batch_size": 65}},
            f"train.batch_size = 65: use at most 64, the number of training samples: {BATCH}",
        ),
        ({"model": {"hidden": [0]}}, "model.hidden = [0]: "),
        ({"model": {"hidden": ["a"]}}, "model.hidden = ['a']: "),
        ({"model": {"dropout": 1.5}}, "model.dropout = 1.5: "),
        ({"model": {"dropout": float("nan")}}, "model.dropout = nan: "),
        ({"model": {"name": "convnet", "width": 0}}, "model.width = 0: "),
        ({"device": "cudaa"}, "device = 'cudaa': use auto, cpu, cuda or cuda:N"),
        ({"device": ""}, "device = '': use auto, cpu, cuda or cuda:N"),
        ({"device": "meta"}, "device = 'meta': use auto, cpu, cuda or cuda:N"),
        ({"device": "cuda:99"}, "device = 'cuda:99': there are "),
    ],
)
def test_sizes_batches_models_and_devices_that_are_not_there(tiny, changes, told):
    refused(tiny(**changes), told)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ({"train": {"batch_size": 65}}, "compare[B].train.batch_size = 65: use at most 64"),
        ({"data": {"train_size": 798}}, "compare[B].data.train_size = 798: use "),
        ({"data": {"name": "npz", "path": "none.npz"}}, "compare[B].data.path = 'none.npz': "),
        ({"model": {"hidden": [0]}}, "compare[B].model.hidden = [0]: "),
        ({"data": {"train_size": 30}}, "train.batch_size = 32: use at most 30"),
    ],
)
@pytest.mark.parametrize("position", ["first", "last"])
def test_an_override_of_any_condition_is_checked(tiny, override, told, position):
    entries = [{"name": "A"}, {"name": "B", **override}, {"name": "C"}]
    compare = entries[1:] if position == "first" else entries[:2]
    refused(tiny(compare=compare, data={"name": "digits", "train_size": 64, "balanced": True}), told)


def test_a_recipe_that_the_engine_cannot_train_is_refused_before_work(tiny):
    refused(
        tiny(compare=[{"name": "M", "recipe": "M3Co"}]),
        "compare[M].recipe = ",
    )


def test_only_images_are_augmented(tiny):
    pytest.importorskip("mnist1d")
    compare = [{}, {"name": "B", "data": {"name": "mnist1d"}, "train": {"augment": {"crop": 2}}}]
    told = r"^compare\[B\]\.train\.augment = .*: it needs images \(channels, height, width\), .*: leave it out$"
    with pytest.raises(ConfigError, match=told):
        plan_study(tiny(compare=compare))
    with pytest.raises(ConfigError, match=r"\.train\.augment\.crop = 8: use at most 7: images of shape \(1, 8, 8\)"):
        plan_study(tiny(train={"epochs": 2, "batch_size": 32, "augment": {"crop": 8}}))


def test_every_seed_is_checked(tiny):
    # Without balancing, some seeds of so small a subset lack a class, others do not.
    outcomes = []
    for seed in range(12):
        try:
            plan_study(tiny(data={"name": "digits", "train_size": 36}, seeds=[seed]))
            outcomes.append(True)
        except ConfigError:
            outcomes.append(False)
    good, bad = outcomes.index(True), outcomes.index(False)
    refused(tiny(data={"name": "digits", "train_size": 36}, seeds=[good, bad]), "data.train_size = 36: class ")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def make(**_):\n    return 3", "it returned a int"),
        ("def make():\n    return nn.Linear(1, 1)", "calling it with sample_shape, num_classes failed"),
        ("def make(**_):\n    raise RuntimeError('no\\nwonder')", "num_classes failed (RuntimeError: no)"),
        (
            "def make(**_):\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))",
            "it maps a batch of shape (2, 1, 8, 8) to (2, 3)",
        ),
        ("def make(**_):\n    return nn.Linear(3, 10)", "it fails on a batch of shape (2, 1, 8, 8) (RuntimeError"),
        ("made = 3", " has no make"),
        ("make = 3", "make is a int"),
        ("1 / 0", "importing "),
        ("def make(:", "importing "),
        ("import not_to_be_found", "No module named 'not_to_be_found'"),
    ],
)  # fmt: skip
def test_own_models_that_do_not_work(tiny, model_file, source, told):
    path = model_file(source)
    with pytest.raises(ConfigError) as caught:
        plan_study(tiny(allow_code=True, model=path), allow_code=True)
    assert str(caught.value).startswith(f"model.name = {path!r}: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_permission_is_asked_for_again_where_code_is_run(tiny, model_file):
    path = model_file("raise SystemExit('this must not run')")
    refused(tiny(allow_code=True, model=path), f"model.name = {path!r}: an import path runs that module's code")


def test_own_code_is_marked_and_an_edit_shows(tiny, model_file, tmp_path):
    source = (
        "def make(*, sample_shape, num_classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))"
    )
    path = model_file(source)
    spec = tiny(allow_code=True, model=path)
    before = plan_study(spec, allow_code=True).code
    assert before.keys() == {path}
    assert plan_study(spec, allow_code=True).code == before
    file = tmp_path / f"{path.partition(':')[0]}.py"
    file.write_text(file.read_text() + "# edited\n")
    assert plan_study(spec, allow_code=True).code != before
    assert plan_study(tiny()).code == {}


def npz(tmp_path, name="d.npz", **arrays):
    rng = np.random.default_rng(0)
    arrays = {"x": rng.random((120, 3)), "y": np.arange(120) % 3} | arrays
    np.savez(tmp_path / name, **arrays)
    return {"data": {"name": "npz", "path": str(tmp_path / name), "train_size": 40}}


def test_own_arrays(tiny, tmp_path):
    spec = tiny(**npz(tmp_path))
    plan = plan_study(spec)
    assert len(plan.cells) == 4
    before = plan.data
    npz(tmp_path, x=np.zeros((120, 3)))
    assert plan_study(spec).data != before
    assert plan_study(spec).data.keys() == before.keys()


@pytest.mark.parametrize("recipe", ["CutMix", {"CutMix": {"axes": 2}}, {"OneOf": ["Mixup", "CutMix"]}])
def test_boxes_are_not_cut_out_of_rows_of_numbers(tiny, tmp_path, recipe):
    told = r"^compare\[C\]\.recipe\.axes = (None|2): CutMix .* shape \(3,\): use Mixup, or, if .* signals, axes=1$"
    with pytest.raises(ConfigError, match=told):
        plan_study(tiny(**npz(tmp_path), compare=[{"name": "C", "recipe": recipe}]))
    plan_study(tiny(**npz(tmp_path), compare=[{"name": "C", "recipe": {"CutMix": {"axes": 1}}}]))


def test_own_arrays_that_cannot_be_trained_on(tiny, tmp_path):
    x = np.zeros((120, 3))
    x[7, 1] = np.nan
    spec = tiny(**npz(tmp_path, x=x))
    refused(spec, f"data.path {tmp_path / 'd.npz'}: x has 1 values that are not finite", DataError)
    refused(tiny(**npz(tmp_path), model="convnet"), "model.name = 'convnet': ")


def test_each_pool_is_hashed_once(tiny, tmp_path):
    compare = [{"name": "A"}, {"name": "B", "data": {"train_size": 96}}, {"name": "C", **npz(tmp_path)}]
    digits, own = plan_study(tiny(compare=compare)).data
    assert digits == '{"name":"digits"}'
    assert '"name":"npz","path":' in own


def test_devices():
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("cpu:0") == "cpu"
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_device_is_resolved_in_the_study(tiny):
    plan = plan_study(tiny(device="cpu:0"))
    assert plan.spec.device == "cpu"
    assert {task.device for task in plan.tasks} == {"cpu"}


def test_convolutions_are_looped_on_the_cpu_and_perceptrons_stacked(tiny):
    compare = [{"name": "A"}, {"name": "B", "model": {"name": "convnet", "width": 2}}]
    tasks = plan_study(tiny(compare=compare)).tasks
    assert [(task.execution, len(task.cells)) for task in tasks] == [("stacked", 2), ("looped", 1), ("looped", 1)]
