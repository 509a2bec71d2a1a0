"""Logs of the forms in which they broke other readers, or an earlier one of ours; each form once.

All hold one curve, an error with a U near epoch 28: ``u``, or an accuracy ``1 - u`` that falls at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overmix.diagnose.logs import LoggedCurves, read_curves
from overmix.errors import OvermixError

E = np.arange(100)
U = (
    0.2
    + 0.3 * np.exp(-E / 8)
    + 0.15 * np.clip((E - 30) / 70, 0, None)
    + 0.002 * np.random.default_rng(0).normal(size=100)
)
FALLING = 0.1 + 0.3 * np.exp(-E / 12) + 0.002 * np.random.default_rng(1).normal(size=100)


def table(columns: dict[str, Sequence[object]], separator: str = ",") -> str:
    lines = [separator.join(columns), *(separator.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return "\n".join(lines) + "\n"


def epochs_and(**columns: Any) -> str:
    return table({"epoch": E, **columns})


def json_lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def by_phase(first: str, second: str) -> str:
    rows = [f"{e},{phase},{FALLING[e] if phase == 'train' else U[e]:.6f}" for e in E for phase in (first, second)]
    return "epoch,phase,error\n" + "\n".join(rows) + "\n"


def mm(names: Callable[[int], dict[str, float]]) -> str:
    """The mm family (engine 1): the training's rows count iterations, those of an evaluation epochs."""
    rows = [[{"loss": FALLING[e], "lr": 0.1, "epoch": int(e) + 1, "step": 50 * (int(e) + 1)}, names(e)] for e in E]
    return json_lines([row for pair in rows for row in pair])


BLANK = "                  epoch"  # YOLO pads its names

CASES: dict[str, tuple[str, str, str]] = {
    # form: (name of the file, content, metric that is judged)
    "keras, long name of mse": (
        "a.csv",
        epochs_and(loss=FALLING, mean_squared_error=FALLING / 100, val_mean_squared_error=U / 100),
        "val_mean_squared_error",
    ),
    "mse beside it": ("a.csv", epochs_and(val_mse=U / 100), "val_mse"),
    "a score that is better low": ("a.csv", epochs_and(val_brier_score=U), "val_brier_score"),
    "the same by its short name": ("a.csv", epochs_and(val_brier=U), "val_brier"),
    "an error in a large unit": ("a.csv", epochs_and(val_mean_absolute_error=1e4 * U), "val_mean_absolute_error"),
    "kappa, first value below 0": ("a.csv", epochs_and(val_kappa=[-0.01, *(1 - U)[1:]]), "val_kappa"),
    "R2, first value far below 0": ("a.csv", epochs_and(val_r2=[-5, *(1 - U)[1:]]), "val_r2"),
    "decibels": ("a.csv", epochs_and(val_psnr=20 - 10 * np.log10(U)), "val_psnr"),
    "fastai": (
        "history.csv",
        epochs_and(train_loss=FALLING, valid_loss=FALLING, error_rate=U, time=["00:12"] * 100),
        "error_rate",
    ),
    "hydra, a running best": (
        "a.csv",
        table({"epoch": E, "val/loss": U, "val/acc_best": np.maximum.accumulate(1 - U)}),
        "val/loss",
    ),
    "timm": (
        "summary.csv",
        epochs_and(train_loss=FALLING, eval_loss=FALLING + 1, eval_top1=100 - 100 * U, eval_top5=100 - 50 * FALLING),
        "eval_top1",
    ),
    "yolo": (
        "results.csv",
        table(
            {
                BLANK: E,
                "  train/box_loss": FALLING,
                "metrics/mAP50(B)": 1 - FALLING,
                "metrics/mAP50-95(B)": 1 - U,
                "val/box_loss": U,
            }
        ),
        "metrics/mAP50-95(B)",
    ),
    "by phase": ("a.csv", by_phase("train", "val"), "val/error"),
    "by phase, validation first": ("a.csv", by_phase("Valid", "train"), "Valid/error"),
    "3/100": ("a.csv", table({"Epoch": [f"{e + 1}/100" for e in E], "Val Acc": 1 - U}), "Val Acc"),
    "92.5%": ("a.csv", epochs_and(train_loss=FALLING, val_acc=[f"{100 - 100 * u:.2f}%" for u in U]), "val_acc"),
    "comments": ("a.csv", "# alpha=1.0, mixup\n" + epochs_and(val_acc=1 - U) + "# done\n", "val_acc"),
    "numpy's header": ("a.txt", "# epoch val_acc\n" + "".join(f"{e:.3e} {1 - U[e]:.6e}\n" for e in E), "val_acc"),
    "decimal comma": (
        "a.csv",
        table({"epoch": E, "val_acc": [f"{1 - u:.6f}".replace(".", ",") for u in U]}, ";"),
        "val_acc",
    ),
    "decimal comma, in quotes": (
        "a.csv",
        table({"epoch": E, "val_acc": [f'"{1 - u:.4f}"'.replace(".", ",") for u in U]}),
        "val_acc",
    ),
    "header repeated": (
        "a.csv",
        epochs_and(val_acc=1 - U).replace("\n50,", "\nepoch,val_acc\n50,"),
        "val_acc",
    ),
    "long form": (
        "a.csv",
        "epoch,metric,value\n" + "".join(f"{e},train_loss,{FALLING[e]}\n{e},val_acc,{1 - U[e]}\n" for e in E),
        "val_acc",
    ),
    "chart of wandb": (
        "a.csv",
        table({'"Step"': E} | {f'"run-a - val/acc{end}"': 1 - U for end in ("", "__MIN", "__MAX")}),
        "val/acc",
    ),
    "export of tensorboard": (
        "run-exp_validation-tag-epoch_accuracy.csv",
        table({"Wall time": 1.6e9 + E, "Step": E, "Value": 1 - U}),
        "validation/epoch_accuracy",
    ),
    "keras, beside names of classes": (
        "h.json",
        json.dumps({"loss": FALLING.tolist(), "val_acc": (1 - U).tolist(), "classes": ["a", "b"], "weights": [1, 2]}),
        "val_acc",
    ),
    "nested": (
        "h.json",
        json.dumps({"train": {"acc": (1 - FALLING).tolist()}, "val": {"acc": (1 - U).tolist()}}),
        "val/acc",
    ),
    "pandas, by column": (
        "h.json",
        json.dumps({"loss": dict(enumerate(FALLING)), "val_accuracy": dict(enumerate(1 - U))}),
        "val_accuracy",
    ),
    "pandas, by row": ("h.json", json.dumps({str(e): {"val_accuracy": 1 - U[e]} for e in E}), "val_accuracy"),
    "pandas, split": (
        "h.json",
        json.dumps({"columns": ["val_accuracy"], "index": E.tolist(), "data": [[1 - u] for u in U]}),
        "val_accuracy",
    ),
    "deit": (
        "log.txt",
        json_lines(
            [{"train_loss": FALLING[e], "test_acc1": 100 - 100 * U[e], "test_acc5": 99.0, "epoch": int(e)} for e in E]
        ),
        "test_acc1",
    ),
    "mmpretrain": (
        "scalars.json",
        mm(lambda e: {"accuracy/top1": 100 - 100 * U[e], "step": int(e) + 1}),
        "accuracy/top1",
    ),
    "mmdet": ("scalars.json", mm(lambda e: {"coco/bbox_mAP": 1 - U[e], "step": int(e) + 1}), "coco/bbox_mAP"),
    "mmsegmentation": ("scalars.json", mm(lambda e: {"mIoU": 100 - 100 * U[e], "step": int(e) + 1}), "mIoU"),
    "mm of before, by mode": (
        "x.log.json",
        '{"env_info": "…", "seed": null}\n'
        + json_lines(
            [
                {"mode": mode, "epoch": int(e) + 1, "iter": 50, name: value}
                for e in E
                for mode, name, value in (("train", "loss", FALLING[e]), ("val", "accuracy_top-1", 100 - 100 * U[e]))
            ]
        ),
        "val/accuracy_top-1",
    ),
    "detectron2": (
        "metrics.json",
        json_lines(
            [
                {"iteration": 20 * int(e), "total_loss": FALLING[e], "bbox/AP": 100 - 100 * U[e], "bbox/AP50": 1.0}
                for e in E
            ]
        ),
        "bbox/AP",
    ),
}


def written(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", CASES)
def test_every_form_gives_the_curve_and_its_u(tmp_path: Path, form: str) -> None:
    name, content, metric = CASES[form]
    curves = read_curves([written(tmp_path / name, content)])
    assert (curves.metric, curves.values.shape) == (metric, (1, 100))
    diagnosis = curves.diagnose()
    assert (diagnosis.verdict, diagnosis.n_seeds) == ("u-shaped", 1)
    first = float(curves.epochs[0])
    step = float(curves.epochs[1]) - first
    assert 24 <= (diagnosis.turning_epoch - first) / step <= 33


def read(tmp_path: Path, content: str, name: str = "a.csv", **options: Any) -> LoggedCurves:
    return read_curves([written(tmp_path / name, content)], **options)


def test_an_accuracy_in_percent_may_stay_below_ten(tmp_path: Path) -> None:
    accuracy = 8 * (1 - np.exp(-E / 10)) - 0.8 * np.clip((E - 40) / 60, 0, None) + 0.85
    said = [read(tmp_path, epochs_and(val_acc=scale * accuracy)).diagnose() for scale in (1, 1.2)]
    assert [(d.unit, d.verdict) for d in said] == [("percent", "monotone")] * 2
    assert [d.delta for d in said] == pytest.approx([4.56, 4.48], abs=0.05)


def test_what_was_not_looked_at_is_told(tmp_path: Path) -> None:
    curves = read(tmp_path, epochs_and(train_loss=FALLING, valid_loss=U, error_rate=FALLING, accuracy=1 - FALLING))
    assert (curves.metric, curves.others) == ("accuracy", ("error_rate", "valid_loss"))
    asked = read(tmp_path, epochs_and(val_loss=U, val_acc_best=1 - U), metric="val_acc_best")
    assert "cannot turn" in asked.notes[0]


def test_another_run_behind_the_first_is_left_out(tmp_path: Path) -> None:
    rows = "".join(
        f"{e},{v}\n" for e, v in [*zip(E[:40], U[:40], strict=True), *zip(E[:12], FALLING[:12], strict=True)]
    )
    curves = read(tmp_path, "epoch,val_error\n" + rows)
    np.testing.assert_array_equal(curves.values[0], U[:40])
    assert "several runs (0 to 39 and 0 to 11); judged is 0 to 39" in curves.notes[0]


def test_a_run_that_crashed_twice_and_went_on_is_one(tmp_path: Path) -> None:
    parts = [(range(40), FALLING), (range(30, 35), FALLING), (range(30, 100), U)]
    rows = "".join(f"{e},{v[e]}\n" for part, v in parts for e in part)
    curves = read(tmp_path, "epoch,val_error\n" + rows)
    np.testing.assert_array_equal(curves.values[0], [*FALLING[:30], *U[30:]])
    assert "one resumed run" in curves.notes[0]


def test_whole_numbers_beyond_floats_are_one_line(tmp_path: Path) -> None:
    content = json.dumps({"val_loss": [0.1, 10**400]})
    with pytest.raises(OvermixError, match=r"row 2: val_loss is a whole number beyond 1e308"):
        read(tmp_path, content, "h.json")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("scalars.csv", table({"Wall time": E, "Step": E, "Value": U}), "say --metric Value and which way is better"),
        ("a.csv", "".join(f"{e},{u}\n" for e, u in zip(E, U, strict=True)), "line 1: numbers where names should stand"),
        ("a.csv", epochs_and(val_acc=[f"{1 - u:.4f}".replace(".", ",") for u in U]), "more values than the header"),
        ("h.json", json.dumps({"loss": [1, 2, 3], "val_loss": [1]}), "unequal lengths: val_loss has 1 values where"),
        ("log.jsonl", '{"a": 1}\nabc\n{"a": 2}\n', "line 2: not JSON"),
        ("log.txt", "Epoch 1: loss 0.5 acc 0.3\nEpoch 2: loss 0.4 acc 0.4\n", "sentences and no table"),
    ],
)
def test_what_cannot_be_read_says_what_to_change(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(OvermixError, match=said) as caught:
        read(tmp_path, content, name)
    assert "\n" not in str(caught.value)


def test_the_export_whose_name_is_lost_is_read_when_asked_for(tmp_path: Path) -> None:
    curves = read(tmp_path, table({"Wall time": E, "Step": E, "Value": 1 - U}), metric="Value", unit="fraction")
    assert (curves.axis, curves.diagnose(lower_is_better=False).verdict) == ("Step", "u-shaped")


def test_charts_of_wandb_hold_several_runs(tmp_path: Path) -> None:
    columns = {"Step": E} | {
        f"{run} - val/acc{end}": 1 - u for run, u in (("a", U), ("b", FALLING)) for end in ("", "__MIN", "__MAX")
    }
    assert read(tmp_path, table(columns)).values.shape == (2, 100)


def test_charts_of_wandb_without_their_ranges_hold_the_runs_that_share_a_metric(tmp_path: Path) -> None:
    found = read(tmp_path, table({"Step": E, "run - a - val/acc": 1 - FALLING, "run - b - val/acc": 1 - U}))
    assert (found.metric, found.values.shape, found.axis) == ("val/acc", (2, 100), "Step")
    assert [run.rpartition(" (")[2] for run in found.runs] == ["run - a)", "run - b)"]
    for columns in ({"train - acc": 1 - FALLING, "val - acc": 1 - U}, {"loss - val": FALLING, "acc - val": 1 - U}):
        assert read(tmp_path, table({"epoch": E, **columns})).values.shape == (1, 100)


def test_steps_are_not_called_epochs(tmp_path: Path) -> None:
    steps = 13000 * (E + 1)
    diagnosis = read(tmp_path, table({"global_step": steps, "val_acc": 1 - U})).diagnose()
    at = diagnosis.turning_epoch
    assert at == int(at) > 99999
    assert f"best near global_step {at} (" in diagnosis.advice
    assert f"overmix.switch.OffAtStep({at}), in a study off_at_step: {at}" in diagnosis.advice
    assert "epoch" not in diagnosis.advice
    assert (diagnosis.to_dict()["axis"], diagnosis.to_dict()["turning_epoch"]) == ("global_step", at)
    short = read(tmp_path, table({"global_step": steps[:5], "val_acc": 1 - U[:5]})).diagnose()
    assert short.advice.startswith("Undecided: Only 5 points were logged")


def test_text_that_powershell_wrote(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(epochs_and(val_acc=1 - U).encode("utf-16"))
    assert read_curves([tmp_path / "a.csv"]).values.shape == (1, 100)


def test_what_no_terminal_should_be_sent_is_a_question_mark(tmp_path: Path) -> None:
    curves = read(tmp_path, table({"epoch": E, "val\x1b[31m_acc": 1 - U, "val\x07_loss": U}))
    assert (curves.metric, curves.others) == ("val?[31m_acc", ("val?_loss",))
