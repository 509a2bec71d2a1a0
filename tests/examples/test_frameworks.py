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


def _trained(script, timms):
    """Train the script's ResNet18 for two steps, and return what its loss was given, and the mixer's class."""
    spec = spec_from_file_location("script", script)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    given, mixer = [], module.Mixup
    lam = 0.7

    class Told(mixer):
        """Draws nothing: one weight or box, and each image's partner is its mirror in the batch, as timm's is."""

        if timms:

            def _params_per_batch(self):
                return lam, False

    if not timms:
        Told.__init__ = lambda self, **settings: _plan_of(mixer.__init__, self, settings, lam)
    module.Mixup = Told
    loss = module.SoftTargetCrossEntropy

    class Watching(loss):
        def forward(self, output, rows):
            given.append(rows)
            return super().forward(output, rows)

    module.SoftTargetCrossEntropy = Watching
    module.main(SimpleNamespace(model="resnet18", img_size=32, samples=100, epochs=2, mixup_off_epoch=1))
    return given, mixer


def _plan_of(begin, mixup, settings, lam):
    begin(mixup, **settings | {"cutmix_alpha": 0.0})
    recipe = mixup.recipe
    told = MixPlan(torch.arange(50).flip(0), torch.full((50,), lam))
    object.__setattr__(
        mixup,
        "recipe",
        SimpleNamespace(
            **{
                "draw": recipe.draw,
                "plan": lambda *args, **others: told,
                "mix": recipe.mix,
                "unmixed": recipe.unmixed,
            }
        ),
    )


@pytest.mark.slow
def test_a_resnet18_script_for_timms_mixup_has_the_same_rows(tmp_path):
    """Told the same weights and partners: every row that the loss sees in two epochs, of which the second is plain."""
    need("timm_train")
    script = tmp_path / "timm_train.py"
    script.write_text(before("timm_train"))
    (ours, a), (theirs, b) = _trained(path("timm_train"), False), _trained(script, True)
    assert (a.__module__, b.__module__) == ("overmix.integrations.timm", "timm.data.mixup")
    assert len(ours) == len(theirs) == 4
    assert all(torch.allclose(one, two, atol=1e-6) for one, two in zip(ours, theirs, strict=True))
    assert ours[0].amax() < 0.9 < ours[-1].amax()


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
