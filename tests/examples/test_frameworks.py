"""Every example runs, changes at most five lines, and those are marked: without them it is a script without overmix."""

import ast
import re
import runpy
import warnings
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from overmix.mix import MixPlan

ROOT = Path(__file__).parents[2]
NEEDS = {
    "accelerate_loop": "accelerate",
    "lightning_digits": "lightning",
    "mosaic_gate": None,
    "pytorch_loop": None,
    "sklearn_table": "pandas",
    "timm_train": "timm",
    "torchvision_collate": "torchvision",
    "transformers_images": "transformers",
}
MARK = re.compile(r"^(?P<line>.*?)  # overmix(?:, was: (?P<was>.*?)|(?P<see>, to see))?(?:  # noqa: \w+)?$")


def path(name):
    return ROOT / "examples" / f"{name}.py"


def marks(name):
    return [mark for line in path(name).read_text().splitlines() if (mark := MARK.match(line))]


def before(name):
    """Return the script as it was: marked lines as they were, or left out."""
    lines = []
    for line in path(name).read_text().splitlines():
        mark = MARK.match(line)
        if mark is None:
            lines.append(line)
        elif mark["was"] is not None:
            lines.append(line[: len(line) - len(line.lstrip())] + mark["was"])
    return "\n".join(lines)


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a script, for a moment, and returns the accuracy that it prints."""

    def run(script):
        monkeypatch.setattr("sys.argv", [str(script), "--smoke"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # frameworks warn of few workers and small logs
            runpy.run_path(str(script), run_name="__main__")
        return float(re.search(r"accuracy (\d\.\d+)", capsys.readouterr().out)[1])

    return run


def need(name):
    package = NEEDS[name]
    if package is not None and find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if name == "transformers_images":
        pytest.importorskip("overmix.integrations.transformers")


def test_every_example_with_marked_lines_is_here():
    marked = {script.stem for script in (ROOT / "examples").glob("*.py") if "  # overmix" in script.read_text()}
    assert marked == set(NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_it_runs(name, run):
    need(name)
    assert 0 <= run(path(name)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDS)
def test_without_the_marked_lines_it_runs_too(name, tmp_path, run):
    need(name)
    script = tmp_path / f"{name}.py"
    script.write_text(before(name))
    assert 0 <= run(script) <= 1


@pytest.mark.parametrize("name", NEEDS)
def test_at_most_five_lines_change(name):
    changed = [mark for mark in marks(name) if not mark["see"]]
    assert 1 <= len(changed) <= 5
    assert len(marks(name)) - len(changed) <= 1
    assert len(path(name).read_text().splitlines()) <= 90
    module = ast.parse(before(name))
    module.body = module.body[1:]  # but for its first words
    left = ast.unparse(module)
    assert "overmix" not in left
    assert "epoch.observe" not in left


def test_one_import_of_the_timm_script_changes():
    (mark,) = marks("timm_train")
    assert (mark["line"], mark["was"]) == (
        "from overmix.integrations.timm import Mixup",
        "from timm.data import Mixup",
    )


LAM, BATCH = 0.7, 50


def _told_timms(mixer):
    class Told(mixer):
        """Draws nothing; each image's partner is its mirror in the batch, as timm's always is."""

        def _params_per_batch(self):
            return (LAM if self.mixup_enabled else 1.0), False

    return Told


def _told_ours(mixer):
    class Told(mixer):
        """Plans what the other mixes."""

        def __init__(self, **settings):
            super().__init__(**settings | {"cutmix_alpha": 0.0})
            plan = MixPlan(torch.arange(BATCH).flip(0), torch.full((BATCH,), LAM))
            self.recipe.plan = lambda *_, **__: plan

    return Told


def _batches(script, told):
    """Train the script's ResNet18, a step in each of two epochs, and return its batches and the mixer's class."""
    spec = spec_from_file_location("script", script)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    mixer, batches = module.Mixup, []

    class Watched(told(mixer)):
        def __call__(self, x, target):
            with torch.random.fork_rng(devices=[]):  # ours draws from PyTorch's generator, which orders the loader
                batches.append(super().__call__(x, target))
            return batches[-1]

    module.Mixup = Watched
    module.main(SimpleNamespace(model="resnet18", img_size=32, samples=BATCH, epochs=2, mixup_off_epoch=1))
    return batches, mixer


@pytest.mark.slow
def test_a_resnet18_script_for_timms_mixup_has_the_same_rows(tmp_path):
    """Told the same weight and partners: images and rows of both epochs, of which the second is plain."""
    need("timm_train")
    script = tmp_path / "timm_train.py"
    script.write_text(before("timm_train"))
    (ours, mixer), (theirs, timms) = _batches(path("timm_train"), _told_ours), _batches(script, _told_timms)
    assert (mixer.__module__, timms.__module__) == ("overmix.integrations.timm", "timm.data.mixup")
    assert len(ours) == len(theirs) == 2
    for (x, rows), (their_x, their_rows) in zip(ours, theirs, strict=True):
        assert torch.allclose(x, their_x, atol=1e-6)
        assert torch.allclose(rows, their_rows, atol=1e-6)
    assert ours[0][1].amax(1).min() < 0.9 < ours[1][1].amax(1).min()


def test_the_mosaic_of_yolo_is_closed_on_patience():
    """With a trainer that has what Ultralytics' callbacks are given: epoch, epochs, fitness, args."""
    spec = spec_from_file_location("yolo_mosaic", path("yolo_mosaic"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    close = module.CloseOnPatience(patience=2, cool_down=3)
    trainer = SimpleNamespace(epochs=50, fitness=None, args=SimpleNamespace(close_mosaic=3))
    closed_at = None
    scores = [0.1, 0.3, 0.2, 0.25, 0.4, 0.2, 0.5]
    epoch = 0
    while epoch < trainer.epochs:
        if epoch == trainer.epochs - trainer.args.close_mosaic:  # as its trainer does
            closed_at = epoch
        trainer.epoch, trainer.fitness = epoch, scores[min(epoch, len(scores) - 1)]
        close(trainer)
        epoch += 1
    # The best, epoch 1, is two epochs old after epoch 3: three more, without mosaic.
    assert (closed_at, epoch) == (4, 7)
