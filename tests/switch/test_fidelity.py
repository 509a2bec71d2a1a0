"""A run with probes is the run without, to the byte, or is refused in one line: for all that people write."""

import contextlib
from pathlib import Path

import pytest
import torch
from tests.switch.situations import EPOCHS, SITUATIONS, left_by, memory

import overmix
from overmix.errors import OvermixError

DOCS = Path(__file__).parents[2] / "docs"


def trained(kind, switch):
    """Train; return what is left, and which memory moved while probes were set back."""
    with getattr(kind, "around", contextlib.nullcontext)():
        training, before, moved = kind(), None, set()
        run = overmix.Epochs(
            EPOCHS, mix=overmix.Mixup(), switch=switch, seed=0, state=training.state(), steps_per_epoch=training.told
        )
        for epoch in run:
            if epoch.kind == "train" and before is not None:
                now = memory(training)
                moved |= {name for name in before.keys() & now.keys() if before[name] != now[name]}
            before = memory(training) if epoch.kind != "train" and before is None else before
            training.body(epoch)
            if epoch.kind == "train":
                before = memory(training)
        return left_by(training), moved


def pairs(loops, kind):
    """Each run with probes beside the run that it has to be."""
    probes = getattr(kind, "probes", (1, 2))
    yield loops.Scripted(probes=probes, tail=2), overmix.always()
    if kind.goes_back or kind is SITUATIONS["plain"]:
        yield loops.Scripted(probes=probes[:1], tail=1, decide_at=3, switch_at=1), overmix.off_at(1)


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_probe_leaves_no_trace_or_is_refused(loops, name):
    kind = SITUATIONS[name]
    if kind.refused is not None:
        with pytest.raises(OvermixError, match=kind.refused):
            trained(kind, next(pairs(loops, kind))[0])
        return
    for probing, fixed in pairs(loops, kind):
        expected, _ = trained(kind, fixed)
        left, moved = trained(kind, probing)
        assert [path for path in left.keys() | expected.keys() if left.get(path) != expected.get(path)] == []
        assert not kind.in_place or not moved


COMPILED = [
    "plain",
    "buffer that is not persistent",
    "tied weights",
    "averaged weights",
    "a learning rate in a tensor",
    "an adversary that is registered",
]


@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_model_is_compiled_once(loops, name):
    """In whole graphs, through probes; the backend runs what was traced as it is, and counts."""
    graphs, after_first = [], []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    class Compiled(SITUATIONS[name]):
        def make_model(self):
            model = super().make_model()
            model.compile(backend=backend, fullgraph=True)
            return model

        def body(self, epoch):
            super().body(epoch)
            after_first.append(len(graphs))

    torch.compiler.reset()
    probing, fixed = next(pairs(loops, Compiled))
    left, moved = trained(Compiled, probing)
    assert after_first[0] >= 2  # one that trains, one that evaluates
    assert set(after_first) == {after_first[0]}
    expected, _ = trained(Compiled, fixed)
    assert [path for path in left.keys() | expected.keys() if left.get(path) != expected.get(path)] == []
    assert not moved


def test_there_are_as_many_as_the_pages_say():
    refused = sum(kind.refused is not None for kind in SITUATIONS.values())
    compared = len(SITUATIONS) - refused
    page, loop = (" ".join((DOCS / name).read_text(encoding="utf-8").split()) for name in ("going-back.md", "loop.md"))
    assert f"{compared} small trainings, each with probes and without" in page
    assert f"and {refused} that are refused" in page
    assert "(six of the trainings above are compiled" in page
    assert len(COMPILED) == 6
    assert f"[{compared} kinds of training]" in loop
