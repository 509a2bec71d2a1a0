"""A stack that cannot be trained whole leaves the result that it would have left."""

import pytest
import torch

from overmix.errors import OvermixError
from overmix.study import plan_study
from overmix.study.run.worker import StackRunner
from overmix.study.store.checkpoint import load_tensors
from overmix.study.store.directory import RunDirectory
from overmix.train import StackTraining

MIXUP = {"name": "Mixup"}
STUDIES = {
    "fixed": {"compare": [{"recipe": "NoMixup", "name": "ERM"}, MIXUP], "train": {"epochs": 3, "batch_size": 32}},
    "tracked": {"train": {"epochs": 2, "batch_size": 32, "track": ["gradient_norm", "memorization"]}},
    "adamw": {"train": {"epochs": 2, "batch_size": 32, "optimizer": "adamw", "average": 0.9}},
    "deciding": {"compare": [MIXUP | {"schedule": "auto"}], "seeds": 3, "train": {"epochs": 16, "batch_size": 32}},
}


def trained(spec, folder, **options):
    (folder / "stacks").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    plan, told = plan_study(spec, **options), []
    allow_code = options.get("allow_code", False)
    runner = StackRunner(RunDirectory(folder), allow_code=allow_code, tell=told.append, should_stop=lambda: False)
    (task,) = plan.tasks
    runner.run(task)
    tensors, header = load_tensors(folder / "stacks" / f"{task.id}.safetensors", task.id)
    assert [path.stem for path in (folder / "stacks").iterdir()] == [task.id]
    assert not list((folder / "checkpoints").iterdir())
    return tensors, header, [progress.note for progress in told if progress.note]


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]) or torch.equal(tensor.isnan(), other[name].isnan()), name
        torch.testing.assert_close(tensor, other[name], rtol=0, atol=0, equal_nan=True, msg=name)


def no_memory_above(largest, monkeypatch, error):
    train = StackTraining.train

    def limited(self, after_step=None):
        if len(self.planner.replicas) > largest:
            raise error
        return train(self, after_step)

    monkeypatch.setattr(StackTraining, "train", limited)


ERRORS = [RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"), MemoryError()]


@pytest.mark.parametrize(("study", "error"), [*zip(STUDIES, [*ERRORS, *ERRORS], strict=True)])
def test_a_stack_without_memory_is_halved_to_the_same_bytes(tiny, tmp_path, monkeypatch, study, error):
    spec = tiny(**STUDIES[study])
    whole, header, _ = trained(spec, tmp_path / "whole")
    no_memory_above(1, monkeypatch, error)
    parts, joined, notes = trained(spec, tmp_path / "parts")
    assert_equal(whole, parts)
    for key in ("stack", "cells", "class_counts", "switch_at", "cost", "n_test", "labels", "steps_per_epoch"):
        assert joined[key] == header[key], key
    assert sum(joined["parts"]) == len(header["cells"])
    assert "does not fit into memory: it is trained in halves" in notes[0]


def test_a_single_run_without_memory_is_one_line(tiny, tmp_path, monkeypatch):
    no_memory_above(0, monkeypatch, ERRORS[0])
    with pytest.raises(OvermixError, match="there is not enough memory for a single run: use fewer --workers"):
        trained(tiny(seeds=1), tmp_path)


MAPPED_AT_FIRST = """
class Model(nn.Module):
    calls = 0

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        Model.calls += 1
        output = self.linear(x.flatten(1))
        if Model.calls > 6 and float(output.detach().sum()) > 1e9:  # what vmap cannot answer
            return output + 1
        return output

def make(*, sample_shape, num_classes):
    return Model()
"""
NEVER_MAPPED = MAPPED_AT_FIRST.replace("Model.calls > 6 and ", "")


def test_a_users_model_that_cannot_be_mapped_is_looped_over_which_is_said(tiny, tmp_path, model_file):
    path = model_file(MAPPED_AT_FIRST)
    spec = tiny(allow_code=True, model=path)
    tensors, header, notes = trained(spec, tmp_path / "a", allow_code=True)
    assert header["parts"] == [1, 1, 1, 1]
    assert len(notes) == 1
    assert notes[0].startswith("a stack of 4 runs cannot be mapped (vmap: ")
    assert notes[0].endswith("they are trained one by one")
    assert torch.isfinite(tensors["mix_loss"]).all()

    plan = plan_study(tiny(allow_code=True, model=model_file(NEVER_MAPPED)), allow_code=True)
    assert {task.execution for task in plan.tasks} == {"looped"}
    (note,) = plan.notes
    assert "cannot be stacked (vmap: " in note
