"""Each reader, on logs of the form that its tool writes."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from overmix.diagnose.logs import read_curves
from overmix.diagnose.logs.readers import READERS, Reader
from overmix.diagnose.logs.readers.tensorboard import crc32c, masked
from overmix.errors import ConfigError, DataError, OvermixError

ERRORS = [0.9, 0.5, 0.3, 0.25, 0.3]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def put(name: str, content: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    return put


def as_csv(values: list[float], *, first: int = 1, metric: str = "test_error") -> str:
    return f"epoch,{metric}\n" + "".join(f"{t},{v}\n" for t, v in enumerate(values, start=first))


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + struct.pack("<I", masked(crc32c(data)))


def event(step: int, tag: str, value: float, *, tensor: bool = False) -> bytes:
    raw = struct.pack("<f", value)
    if tensor:
        number = field(8, field(1, 1) + field(2, b"") + field(4, raw))
    else:
        number = varint(2 << 3 | 5) + raw
    wall_time = varint(1 << 3 | 1) + struct.pack("<d", 1.7e9)
    return record(wall_time + field(2, step) + field(5, field(1, field(1, tag.encode()) + number)))


VERSION = record(varint(1 << 3 | 1) + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2"))


def events(*, tensor: bool = False) -> bytes:
    scalars = [event(100 * t, "Error/test", v, tensor=tensor) for t, v in enumerate(ERRORS, start=1)]
    return VERSION + b"".join(scalars) + event(1, "Loss/train", 2.0)


def test_csv(write) -> None:
    found = read_curves([write("a.csv", as_csv(ERRORS))])
    assert (found.metric, found.axis, found.runs[0].endswith("a.csv")) == ("test_error", "epoch", True)
    np.testing.assert_array_equal(found.epochs, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(found.values, [ERRORS])


@pytest.mark.parametrize("separator", [";", "\t"])
def test_csv_of_other_separators_and_a_byte_order_mark(write, separator: str) -> None:
    content = "\ufeff" + as_csv(ERRORS).replace(",", separator)
    assert read_curves([write("a.csv", content)], x="epoch").values.shape == (1, 5)


@pytest.mark.parametrize(
    "content",
    [
        '"epoch" "val err"\n1 0.5\n2 0.4\n',  # R's write.table
        '"epoch" "opt" "val err"\n"1" 1 "a b" 0.5\n"2" 2 "a b" 0.4\n',  # with its names of rows
        '"epoch","val err"\n"a",1,0.5\n"b",2,0.4\n',
        "sep=;\nepoch;val err\n1;0,5\n2;0,4\n",  # Excel's
        "\n# epoch|opt|val err\n1|adam|0.5\n2|adam|0.4\n",
        "\n\nepoch|val err\n1|0.5\n2|0.4\n",
    ],
)
def test_csv_of_other_tools(write, content: str) -> None:
    found = read_curves([write("a.csv", content)])
    assert (found.metric, found.epochs.tolist(), found.values.tolist()) == ("val err", [1, 2], [[0.5, 0.4]])


def test_values_that_the_header_does_not_name_are_no_names_of_rows(write) -> None:
    with pytest.raises(DataError, match="line 2: more values than the header has names"):
        read_curves([write("a.csv", "epoch,val_err\n1,0,5\n2,0,4\n")])


def test_a_cell_in_quotes_may_go_over_several_lines(write) -> None:
    notes = ["x\ny", "x\r\n# no comment\r\n\r\ny", "x\u2028y\x0b", 'a ""word""', ""]
    rows = "".join(f'{t},"{note}",{v}\n' for t, (note, v) in enumerate(zip(notes, ERRORS, strict=True), start=1))
    found = read_curves([write("a.csv", f"# a note\nepoch,note,val_err\n{rows}")])
    np.testing.assert_array_equal(found.epochs, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(found.values, [ERRORS])
    with pytest.raises(DataError, match=r"b.csv, line 2: not a line of CSV \(a quote opens there"):
        read_curves([write("b.csv", 'epoch,note,val_err\n1,"x,0.5\n2,"y",0.4\n')])
    with pytest.raises(DataError, match=r"c.csv, line 3: not a line of CSV \(a quote opens there"):
        read_curves([write("c.csv", 'epoch,val_err,note\n1,0.5,x\n2,0.4,"y')])


def test_lines_of_json_may_hold_signs_that_end_lines_elsewhere(write) -> None:
    rows = "".join(f'{{"epoch": {t}, "note": "x\u2028y", "val_loss": {v}}}\n' for t, v in enumerate(ERRORS))
    np.testing.assert_array_equal(read_curves([write("a.jsonl", rows)]).values, [ERRORS])


@pytest.mark.parametrize(
    ("content", "epochs", "values"),
    [
        ("step;val_loss\n1,000;0.312\n2,000;0.3\n", [1000, 2000], [0.312, 0.3]),
        ("step\tval_loss\n1,000\t0,312\n2,000\t0,3\n", [1, 2], [0.312, 0.3]),
        ("step;val_loss\n1.000;0,312\n2.000;0,3\n", [1000, 2000], [0.312, 0.3]),
        ('step,val_loss\n"1,000",0.312\n"2,000",0.3\n', [1000, 2000], [0.312, 0.3]),
        ("epoch;val_acc\n1;92,1 %\n2;93%\n", [1, 2], [92.1, 93]),
    ],
)
def test_commas_are_what_the_column_and_then_the_file_say(write, content, epochs, values) -> None:
    found = read_curves([write("a.csv", content)])
    assert (found.epochs.tolist(), found.values[0].tolist()) == (epochs, values)


def test_numbers_that_may_be_two_are_refused_only_where_they_are_judged(write) -> None:
    content = 'epoch,val_error,samples\n0,50,"1,500"\n1,46,"2,500"\n'
    path = write("a.csv", content)
    np.testing.assert_array_equal(read_curves([path]).values, [[50, 46]])
    for asked in ({"metric": "samples"}, {"x": "samples"}):
        with pytest.raises(DataError, match=r"samples has '1,500' in row 1, which may be a thousand or a decimal"):
            read_curves([path], **asked)
    # The metric that is chosen is refused, too, though another could be read.
    with pytest.raises(DataError, match=r"the column val_error has '1,500'"):
        read_curves([write("b.csv", content.replace("val_error,samples", "val_loss,val_error"))])


def test_conditions_are_called_as_the_file_calls_them(write) -> None:
    rows = [f'"{n},000",{e},{v + n}\n' for n in (1, 2) for e, v in enumerate(LONG)]
    path = write("a.csv", "config,epoch,val_loss\n" + "".join(rows))
    with pytest.raises(ConfigError, match=r"each config \(1,000, 2,000\).*--where config=1,000"):
        read_curves([path])
    for said in ("2,000", "2000"):
        np.testing.assert_allclose(read_curves([path], where={"config": said}).values, [np.array(LONG) + 2])


def test_csv_with_a_seed_column_holds_several_runs(write) -> None:
    rows = "".join(f"{s},{t},{v + s}\n" for s in (0, 1, 2) for t, v in enumerate(ERRORS, start=1))
    found = read_curves([write("a.csv", "seed,epoch,val_loss\n" + rows)])
    assert found.values.shape == (3, 5)
    np.testing.assert_allclose(found.values[2] - found.values[0], 2)


def test_lightning_leaves_most_cells_empty(write) -> None:
    rows = "".join(f"{t},{10 * t},,{0.1 * t}\n{t},{10 * t + 9},{1 - e},\n" for t, e in enumerate(ERRORS))
    write("lightning_logs/version_0/metrics.csv", "epoch,step,val_acc,train_loss\n" + rows)
    found = read_curves([write("x.txt", "").parent])
    assert (found.metric, found.axis) == ("val_acc", "epoch")
    np.testing.assert_allclose(found.values[0], 1 - np.array(ERRORS))
    assert found.diagnose().best == pytest.approx(0.75, abs=0.05)


def test_keras_history(write) -> None:
    content = json.dumps({"loss": [3, 2, 1, 1, 1], "val_loss": ERRORS, "params": {}})
    found = read_curves([write("history.json", content)])
    assert (found.metric, found.epochs.tolist()) == ("val_loss", [1, 2, 3, 4, 5])
    assert found.diagnose().unit == "value"


def test_hugging_face_takes_the_last_checkpoint_of_a_run(write) -> None:
    for step in (2, 5):
        rows = [{"epoch": t, "step": t, "loss": 1.0} for t in range(1, step + 1)]
        rows += [{"epoch": t, "step": t, "eval_loss": v} for t, v in enumerate(ERRORS[:step], start=1)]
        path = write(f"run/checkpoint-{step}0/trainer_state.json", json.dumps({"log_history": rows}))
    found = read_curves([path.parents[1]])
    assert (found.metric, found.values.tolist()) == ("eval_loss", [ERRORS])


def test_hugging_face_of_a_training_that_went_on(write) -> None:
    """What follows the summary at its own step is left out; what a resumed training logs later is not."""
    rows = [{"step": 1, "eval_loss": 0.9}, {"step": 2, "eval_loss": 0.8}, {"step": 2, "train_runtime": 1.0}]
    rows += [{"step": 2, "eval_loss": 0.1}, {"step": 3, "eval_loss": 0.7}, {"step": 3, "train_runtime": 1.0}]
    found = read_curves([write("trainer_state.json", json.dumps({"log_history": rows}))])
    assert (found.epochs.tolist(), found.values.tolist()) == ([1, 2, 3], [[0.9, 0.8, 0.7]])


@pytest.mark.parametrize(("epochs", "looks", "expected"), [(6, 3, [2, 4, 6]), (7, 3, [2, 4, 6]), (9, 3, [3, 6, 9])])
def test_keras_validated_now_and_then(write, epochs: int, looks: int, expected: list[int]) -> None:
    content = json.dumps({"loss": [1.0] * epochs, "val_loss": [0.5] * looks})
    assert read_curves([write("history.json", content)]).epochs.tolist() == expected


def test_mlflow_run_and_experiment(write) -> None:
    for run in "ab":
        lines = "".join(f"170000000{t} {v + (run == 'b')} {t}\n" for t, v in enumerate(ERRORS))
        path = write(f"1/{run}/metrics/val/error", lines)
        write(f"1/{run}/meta.yaml", "run_id: x")
    found = read_curves([path.parents[2]])
    assert (found.metric, found.axis, found.epochs.tolist()) == ("val/error", "step", [0, 1, 2, 3, 4])
    assert read_curves([path.parents[4]]).values.shape == (2, 5)


@pytest.mark.parametrize("tensor", [False, True])
def test_tensorboard(tmp_path: Path, tensor: bool) -> None:
    (tmp_path / "events.out.tfevents.1.host.1.0").write_bytes(events(tensor=tensor))
    found = read_curves([tmp_path])
    assert (found.metric, found.axis, found.epochs.tolist()) == ("Error/test", "step", [100, 200, 300, 400, 500])
    np.testing.assert_allclose(found.values[0], ERRORS, rtol=1e-6)


def test_tensorboard_files_of_one_folder_are_one_resumed_run(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1").write_bytes(event(1, "test_error", 0.5) + event(2, "test_error", 0.4))
    (tmp_path / "events.out.tfevents.2").write_bytes(event(2, "test_error", 0.3))
    np.testing.assert_allclose(read_curves([tmp_path]).values, [[0.5, 0.3]])


def test_folders_beside_the_run_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "hparams").mkdir()
    (tmp_path / "events.out.tfevents.1").write_bytes(events())
    (tmp_path / "hparams" / "events.out.tfevents.2").write_bytes(event(0, "hp_metric", 0.5))
    assert read_curves([tmp_path]).values.shape == (1, 5)


def test_a_path_without_the_metric_is_named(write) -> None:
    paths = [write("a.csv", as_csv(ERRORS)), write("b.csv", as_csv(ERRORS, metric="test_err"))]
    with pytest.raises(ConfigError, match=r"b.csv has no such column; did you mean test_err"):
        read_curves(paths, metric="test_error")


def test_tensorboard_record_cut_short_is_a_run_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(events() + event(600, "Error/test", 0.1)[:-3])
    assert read_curves([path]).epochs[-1] == 500


@pytest.mark.parametrize("at", [3, 20, -10])
def test_damaged_tensorboard_files_are_refused(tmp_path: Path, at: int) -> None:
    data = bytearray(events())
    data[at] ^= 1
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged"):
        read_curves([path])


def test_records_that_are_no_events_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(record(b"\x2a\x05hello"))
    with pytest.raises(DataError, match="no TensorBoard event"):
        read_curves([path])


def test_tensorboard_writer_of_torch(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        for t, value in enumerate(ERRORS, start=1):
            writer.add_scalar("test_error", value, t)
    np.testing.assert_allclose(read_curves([tmp_path]).values, [ERRORS], rtol=1e-6)


def test_runs_are_lined_up_on_common_epochs(write) -> None:
    a = write("a.csv", as_csv(ERRORS))
    b = write("b.csv", "epoch,test_error\n1,0.8\n3,0.4\n5,0.2\n")
    found = read_curves([a, b])
    assert found.epochs.tolist() == [1, 3, 5]
    np.testing.assert_array_equal(found.values, [[0.9, 0.3, 0.3], [0.8, 0.4, 0.2]])


def test_looks_that_not_all_runs_share_are_said(write) -> None:
    a = write("a.csv", as_csv(LONG, first=0))
    b = write("b.csv", "epoch,test_error\n" + "".join(f"{t},{LONG[t] / 2}\n" for t in (3, 7, 11)))
    found = read_curves([a, b])
    assert found.notes == (f"judged are the 3 looks at places that all runs logged; {a} has 12",)
    assert found.diagnose().reason == "Only 3 epochs were logged by every run: log at least 10, 50 are better."
    assert read_curves([a, write("c.csv", as_csv(ERRORS + LONG[5:], first=0))]).notes == ()


def test_runs_of_different_axes_are_refused(write) -> None:
    a = write("a.csv", as_csv(ERRORS))
    b = write("b.csv", as_csv(ERRORS[::-1]).replace("epoch", "step"))
    with pytest.raises(DataError, match=r"a.csv is by epoch, .*b.csv by step, .*: give each by itself"):
        read_curves([a, b])
    rows = "".join(f"{t // 3},{t},{v}\n" for t, v in enumerate(LONG))
    c = write("c.csv", "epoch,step,test_error\n" + rows)
    d = write("d.csv", "Epoch,test_error\n" + "".join(f"{t},{v}\n" for t, v in enumerate(LONG)))
    assert read_curves([d, write("e.csv", as_csv(LONG[::-1], first=0))]).axis == "Epoch"
    with pytest.raises(DataError, match="--x epoch"):
        read_curves([c, write("f.csv", as_csv(LONG[:4], first=0))])
    assert read_curves([c, write("f.csv", as_csv(LONG[:4], first=0))], x="epoch").axis == "epoch"


def test_diverged_runs_keep_their_nan(write) -> None:
    assert np.isnan(read_curves([write("a.csv", "epoch,test_error\n1,0.5\n2,nan\n")]).values[0, 1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("epoch,test_error\n", "only a header"),
        ("epoch,test_error\n1,abc\n", r"row 1: test_error = 'abc' is not a number"),
        ("epoch,test_error\n1,0.5\n2,0,5\n", "line 3: more values"),
        ("epoch,test_error\n1,\n", "no values"),
        ("a,b\n1,2\n", "choose from: a, b"),
    ],
)
def test_bad_csv_is_refused_in_one_line(write, content: str, message: str) -> None:
    wanted = "test_error" if "abc" in content or content.endswith("1,\n") else None
    with pytest.raises((DataError, ConfigError), match=message) as caught:
        read_curves([write("a.csv", content)], metric=wanted)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("3", "no log that is known"),
        ("{}", "no log that is known"),
        ('{"val_loss": [1, 2], "loss": [1]}', "unequal lengths"),
        ('{"val_loss": [1], "loss": [1, 2, 3]}', "unequal lengths"),  # every second epoch, or every third?
        ('{"val_loss": [1, 2, 3], "loss": [1, 2, 3, 4]}', "unequal lengths"),
        ('{"log_history": []}', "empty"),
    ],
)
def test_bad_json_is_refused_in_one_line(write, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_curves([write("a.json", content)])
    assert "\n" not in str(caught.value)


def test_missing_things_are_named(write, tmp_path: Path) -> None:
    path = write("a.csv", as_csv(ERRORS))
    with pytest.raises(ConfigError, match="did you mean test_error"):
        read_curves([path], metric="test_eror")
    with pytest.raises(ConfigError, match="did you mean epoch"):
        read_curves([path], x="epohc")
    with pytest.raises(DataError, match="test_error has no values where other has any"):
        read_curves([write("d.csv", "epoch,test_error,other\n1,0.5,\n2,,3\n")], metric="test_error", x="other")
    with pytest.raises(DataError, match="no such file"):
        read_curves([tmp_path / "b.csv"])
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no log found"):
        read_curves([tmp_path / "none"])
    with pytest.raises(DataError, match="no path"):
        read_curves([])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        read_curves([tmp_path / "pipe"])
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a text file"):
        read_curves([tmp_path / "c.csv"])


def test_runs_that_end_elsewhere_are_refused(write) -> None:
    a, b = write("a.csv", as_csv(ERRORS)), write("b.csv", as_csv(ERRORS[:3]))
    with pytest.raises(DataError, match=r"unequal lengths: .*a.csv ends at 5, .*b.csv at 3"):
        read_curves([a, b])


def test_runs_with_percent_signs_and_runs_without_are_refused(write) -> None:
    a, b = write("a.csv", "epoch,val_acc\n1,92.1%\n2,nan\n"), write("b.csv", "epoch,val_acc\n1,0.9\n2,0.93\n")
    with pytest.raises(DataError, match=r"val_acc has percent signs in .*a.csv and none in .*b.csv: write all in one"):
        read_curves([a, b])
    assert read_curves([a]).unit == "percent"


def test_mlflow_lines_of_another_form_are_refused(write) -> None:
    path = write("r/metrics/val_loss", "1 2\n")
    with pytest.raises(DataError, match="timestamp value step"):
        read_curves([path.parents[1]])


LONG = np.linspace(0.5, 0.1, 12).tolist()


def test_a_test_after_the_training_does_not_hide_the_curve(write) -> None:
    rows = "".join(f"{t},{v},\n" for t, v in enumerate(LONG)) + "11,,0.3\n"
    assert read_curves([write("a.csv", "epoch,val_acc,test_acc\n" + rows)]).metric == "val_acc"
    # If nothing has a curve, the best of what there is is named in the answer.
    assert read_curves([write("b.csv", "epoch,val_acc,test_acc\n0,0.1,\n1,,0.3\n")]).metric == "test_acc"


def test_a_nan_that_numbers_follow_is_no_look_and_one_at_the_end_a_run_that_diverged(write) -> None:
    path = write("a.csv", "epoch,val_loss\n0,1\n1,nan\n2,0.5\n3,nan\n4,nan\n")
    found = read_curves([path])
    assert found.epochs.tolist() == [0, 2, 3, 4]
    np.testing.assert_array_equal(found.values, [[1, 0.5, np.nan, np.nan]])


@pytest.mark.parametrize(
    ("content", "metric", "message"),
    [
        ("epoch,val_loss\n0,1\nnan,2\n", None, r"a.csv, row 2: epoch = nan is no place on an axis"),
        ("epoch,val_loss,val_loss\n0,1,2\n", None, r"a.csv: the header has 'val_loss' twice: rename one"),
        ("epoch,val_loss\n0,1\n", "epoch", r"metric = 'epoch': it is the horizontal axis"),
        (
            "step;val_loss\n1,000;3,312\n2,000;3,300\n",
            None,
            r"step has '1,000' in row 1, which may be a thousand",
        ),
        (
            "step;val_loss\n500;31 %\n1.000;30 %\n",
            None,
            r"step has '1.000' in row 2, which may be a thousand or a decimal \(1.0000 is a decimal\)",
        ),
        (
            "epoch;val_loss\n1;0,85\n2;0.9\n",
            None,
            r"has decimal points and decimal commas, '0.9' in row 2",
        ),
        ("epoch,val_acc\n1,92.1%\n2,0.93\n", None, r"val_acc: row 1 \(92.1%\) has a percent sign, row 2 none \(0.93\)"),
    ],
)
def test_what_would_be_read_wrongly_is_refused(write, content, metric, message) -> None:
    with pytest.raises(OvermixError, match=message):
        read_curves([write("a.csv", content)], metric=metric)


def test_an_empty_file_does_not_take_the_others_of_its_folder_with_it(write) -> None:
    path = write("runs/a.csv", as_csv(ERRORS))
    write("runs/b.csv", "")
    write("runs/c.csv", "epoch,test_error\n")
    found = read_curves([path.parent])
    assert found.runs == (str(path),)
    assert [note.split(": ")[-1][:6] for note in found.notes] == ["empty;", "only a"]
    path.unlink()
    with pytest.raises(DataError, match="only a header, no rows"):
        read_curves([path.parent])


def write_events(folder: Path, **tags: list[float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.iterdir()))
    scalars = [event(t, tag.replace("__", "/"), v) for tag, values in tags.items() for t, v in enumerate(values)]
    (folder / f"events.out.tfevents.{number}").write_bytes(VERSION + b"".join(scalars))


def test_keras_folders_of_a_split_belong_to_the_metric(tmp_path: Path) -> None:
    write_events(tmp_path / "fit" / "train", epoch_accuracy=LONG[::-1], epoch_loss=LONG)
    write_events(tmp_path / "fit" / "validation", epoch_accuracy=LONG, epoch_loss=LONG[::-1])
    found = read_curves([tmp_path])
    assert (found.metric, found.runs) == ("validation/epoch_accuracy", (str(tmp_path / "fit"),))
    np.testing.assert_allclose(found.values, [LONG], rtol=1e-6)
    training = read_curves([tmp_path], metric="train/epoch_accuracy")
    np.testing.assert_allclose(training.values, [LONG[::-1]], rtol=1e-6)
    with pytest.raises(ConfigError, match="did you mean"):  # never the mean of the two
        read_curves([tmp_path], metric="epoch_accuracy")


def test_add_scalars_folders_belong_to_the_metric(tmp_path: Path) -> None:
    write_events(tmp_path / "run")
    write_events(tmp_path / "run" / "Metrics_acc_train", Metrics__acc=LONG[::-1])
    write_events(tmp_path / "run" / "Metrics_acc_val", Metrics__acc=LONG)
    found = read_curves([tmp_path])
    assert (found.metric, found.runs) == ("Metrics/acc/val", (str(tmp_path / "run"),))
    np.testing.assert_allclose(found.values, [LONG], rtol=1e-6)


def test_a_run_that_is_called_test_is_a_run(tmp_path: Path) -> None:
    write_events(tmp_path / "test", loss__train=LONG, loss__val=LONG[::-1])
    write_events(tmp_path / "more", loss__train=LONG, loss__val=LONG)
    found = read_curves([tmp_path])
    assert (found.metric, found.values.shape) == ("loss/val", (2, 12))


def test_another_fit_in_the_same_folder_is_left_out(tmp_path: Path) -> None:
    write_events(tmp_path, val__error=LONG)
    write_events(tmp_path, val__error=LONG[:4])
    found = read_curves([tmp_path])
    np.testing.assert_allclose(found.values, [LONG], rtol=1e-6)
    assert "several runs (0 to 11 and 0 to 3)" in found.notes[0]


def test_a_run_that_two_tools_logged_counts_once_and_hides_no_other(write, tmp_path: Path) -> None:
    for run in (1, 2, 3, 4):
        write(f"exp{run}/log.csv", as_csv([v + run / 100 for v in LONG], metric="val_acc", first=0))
    write_events(tmp_path / "exp4" / "tb", val_acc=LONG)
    write("exp1/hparams.csv", "alpha,lr\n1.0,0.1\n")
    write("exp4/other.csv", as_csv(LONG, metric="val_kappa", first=0))
    write("exp5/log.csv", as_csv(LONG, metric="val_kappa", first=0))
    found = read_curves([tmp_path])
    assert found.runs == tuple(str(tmp_path / f"exp{run}" / "log.csv") for run in (1, 2, 3, 4))
    assert found.notes == (
        f"left out: TensorBoard in {tmp_path / 'exp4' / 'tb'}, a run that CSV logged too",
        f"left out: {tmp_path / 'exp4' / 'other.csv'}, which has no val_acc",
        f"left out: {tmp_path / 'exp5' / 'log.csv'}, which has no val_acc",
    )
    # What only the other tool logged is read there.
    write_events(tmp_path / "exp4" / "tb", test_error=LONG)
    assert read_curves([tmp_path], metric="test_error").runs == (str(tmp_path / "exp4" / "tb"),)


def test_a_table_of_several_runs_beside_them_is_left_out(write, tmp_path: Path) -> None:
    write("all.csv", as_csv(LONG, first=0))
    write_events(tmp_path / "a", test_error=[v + 0.1 for v in LONG])
    write_events(tmp_path / "b", test_error=[v + 0.2 for v in LONG])
    found = read_curves([tmp_path])
    assert found.runs == (str(tmp_path / "a"), str(tmp_path / "b"))
    assert "left out: CSV" in found.notes[0]


def test_the_axis_is_what_tells_the_looks_apart(write) -> None:
    rows = "".join(f"{t // 4},{10 * t},{v}\n" for t, v in enumerate(LONG))  # four looks in each of three epochs
    found = read_curves([write("a.csv", "epoch,step,val_loss\n" + rows)])
    assert (found.axis, found.values.shape) == ("step", (1, 12))
    rows = "".join(f"0,{v}\n" for v in LONG)  # a step that nobody set
    assert read_curves([write("b.csv", "step,val_loss\n" + rows)]).axis == "row"


SAMPLES = {
    "MLflow": "mlflow",
    "Hugging Face": "huggingface",
    "TensorBoard": "tensorboard-simple",
    "CSV": "lightning",
    "JSON history of Keras or pandas": "keras/history.json",
    "JSON lines": None,
}


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.tool)
def test_every_reader_finds_its_logs_in_a_folder_and_no_other_does(reader: Reader, tmp_path: Path) -> None:
    """A new reader needs a sample here: a log that its tool wrote."""
    sample = SAMPLES[reader.tool]
    if sample is None:
        (tmp_path / "log.txt").write_text('{"test_acc1": 1.0, "epoch": 0}\n{"test_acc1": 2.0, "epoch": 1}\n')
    else:
        source = Path(__file__).parent / "data" / sample
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / source.name)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert [other.tool for other in READERS if other.find(files)] == [reader.tool]
    for inside in reader.find(files).values():
        assert all(log.rows for log in reader.read(inside))
        assert next(other for other in READERS if other.reads(inside[0])) is reader


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_nan_at_the_end_are_no_divergence_until_the_next_look_is_due(write, form: str) -> None:
    def read(values: list[float]) -> list[float]:
        rows = [{"epoch": epoch, "val_acc": value} for epoch, value in enumerate(values)]
        lines = "".join(f"{row['epoch']},{row['val_acc']}\n" for row in rows)
        content = "epoch,val_acc\n" + lines if form == "csv" else "".join(json.dumps(row) + "\n" for row in rows)
        return read_curves([write(f"a.{form}", content)]).epochs.tolist()

    nan = math.nan
    every_third = [0.1, nan, nan, 0.2, nan, nan, 0.3]
    assert read([*every_third, nan, nan]) == [0, 3, 6]
    assert read([*every_third, nan, nan, nan]) == [0, 3, 6, 7, 8, 9]  # a look was due
    assert read([*every_third, nan, math.inf]) == [0, 3, 6, 7, 8]  # no logger writes infinity for no look
    assert read([0.1, 0.2, 0.3, nan]) == [0, 1, 2, 3]


def test_a_nan_beside_the_number_of_an_epoch_is_a_row_without_a_look(write) -> None:
    rows = "".join(f"{epoch},{value}\n{epoch},nan\n" for epoch, value in enumerate(LONG))
    np.testing.assert_array_equal(read_curves([write("a.csv", "epoch,val_acc\n" + rows)]).values, [LONG])


FOLDS = {fold: [value + 0.01 * fold for value in LONG] for fold in range(3)}


def of_folds(column: str, names: list[object], *, by_epoch: bool) -> str:
    rows = [(epoch, name, FOLDS[i][epoch]) for i, name in enumerate(names) for epoch in range(len(LONG))]
    ordered = sorted(rows, key=lambda row: row[0]) if by_epoch else rows
    return f"epoch,{column},val_acc\n" + "".join(f"{e},{name},{value}\n" for e, name, value in ordered)


@pytest.mark.parametrize("by_epoch", [True, False])
def test_folds_are_runs_and_conditions_are_asked_for(write, by_epoch: bool) -> None:
    folds = read_curves([write("folds.csv", of_folds("fold", [0, 1, 2], by_epoch=by_epoch))])
    np.testing.assert_array_equal(folds.values, list(FOLDS.values()))
    one = read_curves([write("folds.csv", of_folds("fold", [0, 1, 2], by_epoch=by_epoch))], where={"fold": "2"})
    np.testing.assert_array_equal(one.values, [FOLDS[2]])
    path = write("sweep.csv", of_folds("config", ["mix up", "erm", "none"], by_epoch=by_epoch))
    with pytest.raises(
        ConfigError, match=r"one or more for each config \(mix up, erm, none\).*--where 'config=mix up'"
    ):
        read_curves([path])
    np.testing.assert_array_equal(read_curves([path], where={"config": "erm"}).values, [FOLDS[1]])
    with pytest.raises(ConfigError, match=r"where = 'config=ermm'.*there is mix up, erm, none"):
        read_curves([path], where={"config": "ermm"})
    with pytest.raises(ConfigError, match="no such column"):
        read_curves([path], where={"konfig": "erm"})


def test_conditions_of_two_columns_are_asked_for_one_by_one_and_folds_of_the_chosen_are_runs(write) -> None:
    rows = [
        f"{epoch},{config},{width},{fold},{value + 0.1 * (config == 'erm') + 0.2 * (width == 64) + 0.01 * fold}\n"
        for epoch, value in enumerate(LONG)
        for config in ("mixup", "erm")
        for width in (64, 128)
        for fold in range(2)
    ]
    path = write("a.csv", "epoch,config,width,fold,val_mse\n" + "".join(rows))
    with pytest.raises(ConfigError, match="--where config=mixup"):
        read_curves([path])
    with pytest.raises(ConfigError, match="--where width=64"):
        read_curves([path], where={"config": "erm"})
    chosen = read_curves([path], where={"config": "erm", "width": "128"})
    np.testing.assert_allclose(chosen.values, [[v + 0.1 for v in LONG], [v + 0.11 for v in LONG]])


def test_settings_that_differ_between_runs_are_said(write) -> None:
    """By whatever name; neither what changes within a run nor what stands at its end alone is a setting."""
    rows = "".join(
        f"{e},{seed},{10 * seed},{['mixup', ''][seed // 2]},{0.1 * (seed + e)},{seed if e == 11 else ''},{v + seed}\n"
        for seed in range(4)
        for e, v in enumerate(LONG)
    )
    path = write("a.csv", "epoch,seed,width,config,time,best,val_loss\n" + rows)
    of_width, of_config = read_curves([path]).notes
    assert of_width.startswith("width differs between the runs (0, 10, 20, 30): if that is more than a seed, choose")
    assert of_config.startswith("config differs between the runs (mixup, empty)")
    assert read_curves([path], where={"config": ""}).values.shape == (2, 12)


def test_settings_that_a_tool_writes_first_are_of_the_whole_run(write) -> None:
    paths = [
        write(
            f"{lr}.jsonl",
            json.dumps({"lr": lr, "seed": 0})
            + "\n"
            + "".join(json.dumps({"epoch": e, "val_loss": v + lr}) + "\n" for e, v in enumerate(LONG)),
        )
        for lr in (0.1, 0.2)
    ]
    (note,) = read_curves(paths).notes
    assert note.startswith("lr differs between the runs (0.1, 0.2)")
    assert note.endswith("--where lr=0.1")
    assert read_curves(paths[:1]).runs == (str(paths[0]),)
    assert read_curves(paths[:1], where={"lr": "0.1", "seed": "0"}).values.shape == (1, 12)
    with pytest.raises(ConfigError, match=r"seed=1.*there is 0"):
        read_curves(paths, where={"seed": "1"})


def test_a_condition_without_a_name_is_one(write) -> None:
    """As pandas writes None."""
    path = write("a.csv", of_folds("config", ["mixup", ""], by_epoch=False))
    with pytest.raises(ConfigError, match=r"one or more for each config \(mixup, empty\).*--where config=mixup"):
        read_curves([path])
    np.testing.assert_array_equal(read_curves([path], where={"config": ""}).values, [FOLDS[1]])
    with pytest.raises(ConfigError, match="no such column"):
        read_curves([path], where={"konfig": ""})
    seeds = read_curves([write("b.csv", of_folds("seed", ["", "0"], by_epoch=False))])
    assert [run.rpartition("b.csv ")[2] for run in seeds.runs] == ["(seed empty)", "(seed 0)"]


def test_one_run_is_called_by_one_name(write) -> None:
    """Seeds 1 and 1.0, which pandas makes of 1 beside an empty cell, or 1 and "1" of JSON."""
    seeds = [1, 1.0, "1", " 1 "] * 3
    lines = [json.dumps({"seed": seeds[e], "epoch": e, "val_acc": value}) for e, value in enumerate(LONG)]
    found = read_curves([write("a.jsonl", "\n".join(lines))])
    assert (found.values.shape, found.runs[0][-9:]) == ((1, 12), " (seed 1)")


def test_what_nothing_tells_apart_is_said_to_be_dropped(write) -> None:
    rows = [(epoch, 3 * epoch + fold, FOLDS[fold][epoch]) for epoch in range(len(LONG)) for fold in range(3)]
    plain = "epoch,val_acc\n" + "".join(f"{epoch},{value}\n" for epoch, _, value in rows)
    found = read_curves([write("a.csv", plain)])
    np.testing.assert_array_equal(found.values, [FOLDS[2]])
    assert "epoch 0 has 3 values, of which the last counts (several at 12 places)" in found.notes[0]
    stepped = "epoch,step,val_acc\n" + "".join(f"{epoch},{step},{value}\n" for epoch, step, value in rows)
    assert read_curves([write("b.csv", stepped)]).notes[0].endswith("--x step tells them apart")
    # A column that changes on the way, as where a run was resumed, is no condition.
    resumed = [(e, 0, v) for e, v in enumerate(LONG[:8])] + [(e, 1, v + 0.1) for e, v in enumerate(LONG) if e >= 5]
    text = "epoch,session,val_acc\n" + "".join(f"{e},{session},{value}\n" for e, session, value in resumed)
    assert "one resumed run" in read_curves([write("c.csv", text)]).notes[0]
