"""Whole studies, trained in this process: what is done, what is kept, what is refused."""

import fcntl
import hashlib
import json

import numpy as np
import pytest
from safetensors.torch import save_file

from overmix.errors import OvermixError, RunDirectoryError, StudyInterrupted
from overmix.study import load_result, locked_result, run_study, summary_to_json
from overmix.study.store.checkpoint import load_tensors
from overmix.study.store.files import locked, read_sealed_json, write_json, write_sealed_json
from overmix.train import TRACKED

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def run(out):
    """Return a function that runs a study and returns the ids of the stacks that were trained."""

    def run(spec, **options):
        trained = []
        run_study(spec, out, on_start=lambda outlook: trained.extend(t.id for t in outlook.missing), **options)
        return trained

    return run


def files(out, *patterns):
    return {path: path.read_bytes() for pattern in patterns for path in out.glob(pattern)}


def test_a_study_leaves_all_its_files_and_nothing_else(run, out, tiny):
    run(tiny())
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    (stack,) = (name for name in names if name.startswith("stacks/"))
    assert names == {".lock", "study.json", "curves.parquet", "summary.json", stack}
    assert not list((out / "checkpoints").iterdir())


def test_the_summary_is_returned_as_it_is_written(out, tiny):
    summary = run_study(tiny(), out)
    written = read_sealed_json(out / "summary.json")
    assert written.pop("curves_sha256") == hashlib.sha256((out / "curves.parquet").read_bytes()).hexdigest()
    assert written == summary_to_json(summary)


def test_a_finished_study_is_not_trained_again_and_its_files_stay_as_they_are(run, out, tiny):
    assert len(run(tiny())) == 1
    before = files(out, "*.parquet", "*.json", "stacks/*")
    before.pop(out / "study.json")
    assert run(tiny()) == []
    assert files(out, "*.parquet", "*.json", "stacks/*").items() >= before.items()


def test_curves_do_not_depend_on_where_or_when(run, out, tiny, tmp_path):
    run(tiny())
    run_study(tiny(executor={"workers": 5}, name="other"), tmp_path / "other")
    assert (out / "curves.parquet").read_bytes() == (tmp_path / "other" / "curves.parquet").read_bytes()


def test_conditions_with_and_without_augmentation(run, out, tiny, tmp_path):
    compare = [{"name": "A"}, {"name": "B", "train": {"augment": {"crop": 1, "flip": False}}}]
    assert len(run(tiny(compare=compare))) == 2
    curves = load_result(out).curves
    plain, augmented = (curves.filter(curves["condition"] == name)["mix_loss"] for name in "AB")
    assert not plain.equals(augmented)
    # The condition without is the study without, by the byte.
    run_study(tiny(compare=compare[:1]), tmp_path / "alone")
    assert load_result(tmp_path / "alone").curves["mix_loss"].equals(plain)


def test_what_is_tracked_are_further_columns_and_nothing_else_changes(run, out, tiny, tmp_path):
    both = ["gradient_norm", "memorization"]
    compare = [{"name": "A"}, {"name": "B", "train": {"track": both}}, {"name": "C", "train": {"track": both[:1]}}]
    run(tiny(compare=compare))
    run_study(tiny(compare=compare[:1]), tmp_path / "plain")
    curves, plain = load_result(out).curves, load_result(tmp_path / "plain").curves
    assert curves.columns == [*plain.columns, *TRACKED]
    for name in "ABC":
        own = curves.filter(curves["condition"] == name)
        assert own.drop("condition", *TRACKED).equals(plain.drop("condition"))
    nulls = {name: [own.null_count() for own in curves.filter(curves["condition"] == name)[TRACKED]] for name in "ABC"}
    rows = len(plain)
    assert nulls == {"A": [rows] * 7, "B": [0] * 7, "C": [0] * 2 + [rows] * 5}


@pytest.mark.parametrize("model", [{"hidden": [4]}, {"name": "convnet", "width": 1}])
def test_more_seeds_keep_finished_stacks(run, out, tiny, tmp_path, model):
    changes = {"model": model, "train": {"epochs": 1, "batch_size": 64}}
    before = run(tiny(seeds=8, **changes))
    kept = files(out, "stacks/*")
    added = run(tiny(seeds=9, **changes))
    assert not set(before) & set(added)
    assert len(added) == (1 if "hidden" in model else 2)
    assert files(out, "stacks/*").items() >= kept.items()
    run_study(tiny(seeds=9, **changes), tmp_path / "at once")
    assert (out / "curves.parquet").read_bytes() == (tmp_path / "at once" / "curves.parquet").read_bytes()
    assert len(load_result(out).spec["seeds"]) == 9


def test_more_conditions_keep_finished_stacks_and_may_have_data_of_their_own(run, out, tiny):
    compare = [{"name": "A", "recipe": "NoMixup"}, {"name": "B"}]
    changes = {"seeds": 8, "train": {"epochs": 1, "batch_size": 64}}
    before = run(tiny(compare=compare, **changes))
    compare.append({"name": "C", "data": {"train_size": 100}})
    added = run(tiny(compare=compare, **changes))
    assert len(before) == 2
    assert len(added) == 1
    assert load_result(out).curves["condition"].unique(maintain_order=True).to_list() == ["A", "B", "C"]


def test_fewer_seeds_and_a_new_name_train_nothing(run, out, tiny):
    changes = {"model": {"name": "convnet", "width": 1}, "train": {"epochs": 1, "batch_size": 64}}
    run(tiny(seeds=2, **changes))
    compare = [{"name": "plain", "recipe": "NoMixup", "schedule": "never"}]
    assert run(tiny(seeds=[1], compare=compare, **changes)) == []
    result = load_result(out)
    assert result.curves["condition"].unique().to_list() == ["plain"]
    assert result.curves["seed"].unique().to_list() == [1]
    assert run(tiny(seeds=2, **changes)) == []


def test_conditions_that_differ_in_name_alone_are_trained_once(run, out, tiny):
    compare = [{"name": "A"}, {"name": "A again", "recipe": {"Mixup": {"alpha": 1}}}]
    trained = run(tiny(compare=compare, seeds=8, train={"epochs": 1, "batch_size": 64}))
    assert len(trained) == 1
    curves = load_result(out).curves
    a, again = (curves.filter(condition=name).drop("condition") for name in ("A", "A again"))
    assert a.equals(again)


def test_twins_start_alike(run, out, tiny):
    """Until the switch, a switched condition is its twin without a switch, bit for bit."""
    compare = [{"name": "on"}, {"name": "off", "schedule": {"off_at": 2}}]
    run(tiny(compare=compare, train={"epochs": 4, "batch_size": 32}))
    curves = load_result(out).curves
    on, off = (curves.filter(condition=name).drop("condition") for name in ("on", "off"))
    early = on["epoch"] <= 2
    assert on.filter(early).equals(off.filter(early))
    assert not on.equals(off)


@pytest.mark.parametrize("where", ["local.run_local", "run_study.write_results"])
def test_an_extension_that_is_interrupted_leaves_the_finished_study_as_it_was(run, out, tiny, monkeypatch, where):
    run(tiny(seeds=2))
    before = files(out, "*.parquet", "*.json")
    summary = load_result(out).summary

    def stop(*_args, **_options):
        raise StudyInterrupted("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(f"overmix.study.run.{where}", stop)
        with pytest.raises(StudyInterrupted):
            run_study(tiny(seeds=3), out)
    assert load_result(out).summary == summary
    described = {path: path.read_bytes() for path in before if path.name != "study.json"}
    assert described.items() <= before.items()
    assert json.loads((out / "study.json").read_text())["study"]["seeds"] == [0, 1]
    run(tiny(seeds=3))
    assert len(load_result(out).spec["seeds"]) == 3


def test_an_extension_that_is_interrupted_between_its_results_says_so(run, out, tiny, monkeypatch):
    run(tiny(seeds=2))

    def stop(*_args, **_options):
        raise StudyInterrupted("stopped")

    with monkeypatch.context() as patch:
        patch.setattr("overmix.study.analyse.result.summarise", stop)
        patch.setattr("overmix.study.analyse.result.write_sealed_json", stop)
        with pytest.raises(StudyInterrupted):
            run_study(tiny(seeds=3), out)
    load_result(out)  # the summary fails before anything is written
    with monkeypatch.context() as patch:
        patch.setattr("overmix.study.analyse.result.write_sealed_json", stop)
        with pytest.raises(StudyInterrupted):
            run_study(tiny(seeds=3), out)
    with pytest.raises(RunDirectoryError, match="the study is not finished: run the same 'overmix run' again to go on"):
        load_result(out)
    run(tiny(seeds=3))
    assert len(load_result(out).spec["seeds"]) == 3


def test_the_report_is_written_while_nobody_else_may_write(out, tiny):
    seen = []

    def show(result):
        with pytest.raises(RunDirectoryError, match="another overmix process is writing here"), locked(out):
            pass
        seen.append(result)

    summary = run_study(tiny(), out, show=show)
    (result,) = seen
    again = load_result(out)
    assert result.summary == summary == again.summary
    assert result.curves.equals(again.curves)
    assert result.spec == again.spec


def test_a_locked_result_is_given_under_the_lock(out, tiny):
    with pytest.raises(RunDirectoryError, match="it is no run directory"), locked_result(out):
        pass
    assert not out.exists()
    run_study(tiny(), out)
    with locked_result(out) as result, pytest.raises(RunDirectoryError, match="another overmix"), locked(out):
        pass
    assert result.summary.name == "tiny"


def test_another_study_is_refused_before_anything_is_written(run, out, tiny):
    run(tiny())
    before = files(out, "**/*.*")
    with pytest.raises(
        RunDirectoryError, match=r"it holds another study \(train.epochs was 4, now 5\): choose another"
    ):
        run_study(tiny(train={"epochs": 5, "batch_size": 32}), out)
    assert files(out, "**/*.*") == before


def test_another_machine_is_refused_unless_asked_for(run, out, tiny):
    run(tiny())
    content = read_sealed_json(out / "study.json")
    content["marks"]["fingerprint"]["cpu"] = "Another One"
    write_sealed_json(out / "study.json", content)
    with pytest.raises(RunDirectoryError, match=r"begun with cpu 'Another One', now .*--other-machine"):
        run_study(tiny(), out)
    assert run(tiny(), other_machine=True) == []
    summary = load_result(out).summary
    assert [versions["cpu"] for versions in summary.earlier_versions] == ["Another One"]
    assert summary.versions["cpu"] != "Another One"


def test_changed_data_are_refused(run, out, tiny, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random((200, 5)), np.arange(200) % 4
    path = tmp_path / "d.npz"
    np.savez(path, x=x, y=y)
    spec = tiny(data={"name": "npz", "path": str(path), "train_size": 64})
    run(spec)
    x[3] += 1
    np.savez(path, x=x, y=y)
    with pytest.raises(
        RunDirectoryError, match=r"the data of npz /.*d.npz changed since the study was begun: restore it"
    ):
        run_study(spec, out)


def test_data_that_change_between_the_check_and_the_training_are_refused(out, tiny, tmp_path, monkeypatch):
    x, y = np.random.default_rng(0).random((200, 5)), np.arange(200) % 4
    path = tmp_path / "d.npz"
    np.savez(path, x=x, y=y)
    spec = tiny(data={"name": "npz", "path": str(path), "train_size": 64})

    def write_again(_outlook):
        np.savez(path, x=x + 1, y=y)

    with pytest.raises(RunDirectoryError, match=r"the data of npz /.*d.npz changed since the study was begun"):
        run_study(spec, out, on_start=write_again)
    assert not list((out / "stacks").iterdir())


SOURCE = "def make(*, sample_shape, num_classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))"


def test_changed_code_is_refused(run, out, tiny, model_file, tmp_path):
    path = model_file(SOURCE)
    spec = tiny(allow_code=True, model=path)
    run(spec, allow_code=True)
    assert run(spec, allow_code=True) == []
    file = tmp_path / f"{path.partition(':')[0]}.py"
    file.write_text(file.read_text() + "# edited\n")
    with pytest.raises(
        RunDirectoryError,
        match=f"the code of {path} changed since the study was begun: restore it, or choose another --out",
    ):
        run_study(spec, out, allow_code=True)


def test_a_second_process_is_refused(run, out, tiny):
    run(tiny())
    with (out / ".lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RunDirectoryError, match="another overmix process is writing here"):
            run_study(tiny(), out)


def test_a_bad_study_makes_no_folder(out, tiny):
    with pytest.raises(OvermixError):
        run_study(tiny(data={"name": "digits", "train_size": 5000}), out)
    assert not out.exists()


def flip_a_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_damaged_stack_is_set_aside_said_and_trained_again(run, out, tiny):
    (stack,) = run(tiny())
    before, told = (out / "curves.parquet").read_bytes(), []
    flip_a_bit(out / "stacks" / f"{stack}.safetensors")
    run_study(tiny(), out, on_start=told.append)
    assert [task.id for task in told[0].missing] == [stack]
    assert told[0].damaged == [out / "damaged" / f"stacks-{stack}.safetensors"]
    assert told[0].damaged[0].exists()
    assert (out / "curves.parquet").read_bytes() == before
    assert run(tiny()) == []


def test_a_damaged_checkpoint_is_set_aside_and_training_begins_anew(run, out, tiny):
    (stack,) = run(tiny())
    before, told = (out / "curves.parquet").read_bytes(), []
    (out / "stacks" / f"{stack}.safetensors").unlink()
    (out / "checkpoints" / f"{stack}.safetensors").write_bytes(b"half of a")
    run_study(tiny(), out, on_start=told.append)
    assert told[0].damaged == [out / "damaged" / f"checkpoints-{stack}.safetensors"]
    assert (out / "curves.parquet").read_bytes() == before


@pytest.mark.parametrize("name", ["summary.json", "curves.parquet"])
def test_damaged_results_are_not_shown_and_written_again(run, out, tiny, name):
    run(tiny())
    before = (out / name).read_bytes()
    flip_a_bit(out / name)
    with pytest.raises(RunDirectoryError, match="run the same 'overmix run' again"):
        load_result(out)
    assert run(tiny()) == []
    load_result(out)
    if name == "curves.parquet":
        assert (out / name).read_bytes() == before


def test_a_damaged_study_file_is_refused(run, out, tiny):
    run(tiny())
    flip_a_bit(out / "study.json")
    for use in (lambda: run(tiny()), lambda: load_result(out)):
        with pytest.raises(RunDirectoryError, match=r"study.json: it (was changed|cannot be read)"):
            use()


def test_a_directory_of_a_version_without_seals_is_trained_again_which_is_said(run, out, tiny):
    (stack,) = run(tiny())
    before, told = (out / "curves.parquet").read_bytes(), []
    file = out / "stacks" / f"{stack}.safetensors"
    tensors, header = load_tensors(file, stack)
    save_file(tensors, file, metadata={"overmix": json.dumps(header)})
    write_json(out / "study.json", read_sealed_json(out / "study.json") | {"format": 1})
    write_json(out / "summary.json", read_sealed_json(out / "summary.json"))
    with pytest.raises(RunDirectoryError, match="of an earlier version that did not seal them: run the same"):
        load_result(out)
    run_study(tiny(), out, on_start=told.append)
    assert [task.id for task in told[0].missing] == [stack]
    assert len(told[0].damaged) == 1
    assert (out / "curves.parquet").read_bytes() == before
    assert read_sealed_json(out / "study.json")["format"] == 2


@pytest.mark.parametrize("name", ["stacks", "checkpoints", ".lock"])
def test_links_are_not_followed(out, tiny, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    out.mkdir()
    if name != ".lock":
        elsewhere.mkdir()
    (out / name).symlink_to(elsewhere)
    if name != ".lock":
        run_into = pytest.raises(RunDirectoryError, match=f"^{out}/?.*: it (is a link|holds other files)")
    else:
        run_into = pytest.raises(RunDirectoryError, match="it cannot be locked")
    with run_into:
        run_study(tiny(), out)
    assert not elsewhere.exists() or not list(elsewhere.iterdir())


def test_what_killed_processes_left_is_tidied(run, out, tiny):
    (stack,) = run(tiny())
    left = [out / ".summary.json.12.tmp", out / "stacks" / ".x.34.tmp", out / "checkpoints" / f"{stack}.safetensors"]
    for path in left:
        path.touch()
    run(tiny())
    assert not any(path.exists() for path in left)


def test_the_outlook_says_what_there_is_to_do(out, tiny):
    told = []
    changes = {"model": {"name": "convnet", "width": 1}, "train": {"epochs": 1, "batch_size": 64}}
    run_study(tiny(executor={"workers": 3}, **changes), out, on_start=told.append)
    run_study(tiny(executor={"workers": 3}, **changes), out, on_start=told.append)
    assert [(len(outlook.tasks), len(outlook.missing), outlook.workers) for outlook in told] == [(4, 4, 3), (4, 0, 1)]


def test_results_are_the_stacks_results(run, out, tiny):
    (stack,) = run(tiny())
    tensors, _ = load_tensors(out / "stacks" / f"{stack}.safetensors", stack)
    curves = load_result(out).curves
    for position, (condition, seed) in enumerate([("ERM", 0), ("ERM", 1), ("Mixup", 0), ("Mixup", 1)]):
        rows = curves.filter(condition=condition, seed=seed)
        for name in ("test_error", "val_brier", "train_cross_entropy", "mix_loss", "lr", "mixing"):
            np.testing.assert_array_equal(rows[name].to_numpy(), tensors[name][position].double().numpy())
