import json
import re
import subprocess
import sys

import pytest

import overmix as package
from overmix.errors import StudyInterrupted, WorkerFault
from overmix.recipes import registered


def test_version(overmix):
    assert overmix("--version") == (0, f"overmix {package.__version__}\n", "")


@pytest.mark.parametrize(
    ("command", "examples"),
    [
        ("demo", ["overmix demo", "overmix demo --quick --json"]),
        ("init", ["overmix init mice.csv --target outcome", "overmix init photos/ --out photos.yaml"]),
        ("doctor", ["overmix doctor", "overmix doctor --quick --json"]),
        (
            "run",
            [
                "data: {name: digits, train_size: 200}",
                "train: {epochs: 200}",
                "seeds: 5",
                "overmix run study.yaml",
                "overmix run study.yaml --out runs/first --workers 2",
                "overmix run study.yaml --json > summary.json",
            ],
        ),
        ("plan", ["overmix plan study.yaml", "overmix plan study.yaml --switch", "overmix plan study.yaml --json"]),
        ("report", ["overmix report runs/study --open", "overmix report runs/study --table latex > results.tex"]),
        ("recipes", ["overmix recipes", "overmix recipes --json"]),
        ("census", ["overmix census --recipes Mixup,CMixup", "overmix census --scale smoke --json"]),
    ],
)
def test_help_shows_examples_on_lines_of_their_own(overmix, command, examples):
    outcome = overmix(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line.strip() for line in outcome.out.splitlines()]
    for example in examples:
        assert example in lines


def test_the_example_of_a_study_file_is_one(overmix):
    from overmix.study import parse_study
    from overmix.study.spec.yaml_file import yaml

    lines = [line.strip() for line in overmix("run", "--help").out.splitlines()]
    begin = lines.index("data: {name: digits, train_size: 200}")
    spec = parse_study(yaml.safe_load("\n".join(lines[begin : begin + 3])))
    assert (spec.data.train_size, spec.train.epochs, spec.seed_list) == (200, 200, [0, 1, 2, 3, 4])


def test_the_first_screen_names_every_command_and_the_exit_codes(overmix):
    outcome = overmix("--help")
    assert outcome.code == 0
    text = re.sub(r"\s+", " ", outcome.out)
    journey = ("demo", "init", "run", "switch", "diagnose", "explain", "plan", "merge", "report", "recipes", "doctor")
    research = ("Research", "reproduce", "census", "benchmark")
    places = [text.index(f"│ {name} ") for name in journey] + [text.index(f" {name} ") for name in research]
    assert places == sorted(places)
    assert "Start with overmix demo; for your own data, overmix init." in text
    codes = ("0 done", "1 a fault of overmix itself", "2 something to mend in what was given", "130 stopped", "143 by")
    assert all(code in text for code in codes)
    assert overmix().out.split() == outcome.out.split()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run"],
        ["run", "s.yaml", "--nonsense"],
        ["demo", "--workers", "0"],
        ["demo", "--workers", "two"],
        ["report"],
    ],
)
def test_wrong_usage_has_exit_code_two(overmix, arguments):
    outcome = overmix(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Usage: overmix" in outcome.err
    assert "Traceback" not in outcome.err


def test_recipes_as_a_table(overmix):
    outcome = overmix("recipes")
    assert (outcome.code, outcome.err) == (0, "")
    for name in ("Mixup", "NoMixup", "CutMix"):
        assert name in outcome.out


def test_recipes_as_json(overmix):
    outcome = overmix("recipes", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    entries = {entry["name"]: entry for entry in json.loads(outcome.out)}
    assert set(entries) == set(registered())
    assert entries["Mixup"]["parameters"] == {"alpha": 1.0, "per": "batch", "masks": None}
    assert all(entry["source"] for entry in entries.values())


@pytest.mark.usefixtures("in_process")
def test_run_says_what_it_does_and_what_came_out(overmix, study_file, tmp_path):
    outcome = overmix("run", study_file(), "--out", tmp_path / "out", "--workers", "1")
    assert (outcome.code, outcome.err) == (0, "")
    text = re.sub(r"\s+", " ", outcome.out)
    assert text.startswith(
        f"checking the study and its data ... tiny: 4 runs in 1 stack, 1 worker; results go to {tmp_path}/out "
        "computing the statistics ... writing the page ... "
    )
    for word in ("condition", "verdict", "ERM", "Mixup", f"Page: {tmp_path}/out/report.html"):
        assert word in text
    again = overmix("run", study_file(), "--out", tmp_path / "out")
    assert again.code == 0
    assert "4 runs in 1 stack, 1 of them finished already, 1 worker" in again.out


@pytest.mark.usefixtures("in_process")
def test_without_out_the_study_files_name_names_the_folder(overmix, study_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert overmix("run", study_file(name="first.yaml")).code == 0
    assert (tmp_path / "runs" / "first" / "summary.json").exists()


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("command", ["run", "demo"])
def test_json_is_all_that_is_printed(overmix, study_file, tmp_path, command):
    what = ["run", study_file()] if command == "run" else ["demo", "--quick"]
    outcome = overmix(*what, "--json", "--out", tmp_path / "out")
    assert outcome.code == 0
    summary = json.loads(outcome.out)
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary == {key: value for key, value in written.items() if key not in ("seal", "curves_sha256")}
    assert summary["advice"]["sentence"]
    assert "results go to" in outcome.err
    assert (tmp_path / "out" / "report.html").exists()


def test_errors_of_switch_name_what_the_user_wrote_and_not_what_is_made_from_it(overmix, study_file, tmp_path):
    path = study_file("data: {name: digits, train_size: 100}\ntrain: {epochs: 12, batch_size: 500}")
    outcome = overmix("switch", path, "--out", tmp_path / "out")
    assert outcome.code == 2
    assert outcome.err.startswith("overmix: train.batch_size = 500: use at most 100")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("in_process")
def test_the_quick_demo_has_the_conditions_of_the_demo(overmix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = overmix("demo", "--quick", "--json")
    summary = json.loads(outcome.out)
    assert summary["name"] == "Quick form, its numbers mean nothing: run overmix demo"  # the head of its page
    assert [row["role"] for row in summary["conditions"]] == ["erm", "mixup", "switched"]
    assert (tmp_path / "overmix-demo-quick" / "summary.json").exists()


def test_the_demo_is_the_study_that_the_readme_shows():
    from importlib.resources import files

    from overmix.study import parse_study
    from overmix.study.spec.yaml_file import yaml

    spec = parse_study(yaml.safe_load((files("overmix.study") / "studies" / "demo.yaml").read_text()))
    assert spec.condition_names == ["ERM", "Mixup", "Mixup → ERM @128", "Mixup → ERM (auto)"]
    assert (spec.data.name, spec.data.train_size, spec.model.options) == ("digits", 200, {"hidden": [256, 256]})
    assert (spec.train.epochs, spec.train.batch_size, len(spec.seed_list)) == (1000, 64, 16)
    assert (spec.train.optimizer.lr, spec.train.optimizer.momentum) == (0.05, 0.9)


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_report_writes_the_page_again(overmix, study_file, tmp_path, monkeypatch):
    out = tmp_path / "out"
    overmix("run", study_file(), "--out", out)
    monkeypatch.undo()
    (out / "report.html").unlink()  # what is as it was written is not written again
    outcome = overmix("report", out)
    assert outcome == (0, f"{out / 'report.html'}\n", "")
    assert "<html" in (out / "report.html").read_text()
    assert list((out / "figures").glob("*.png"))
    assert not [path for path in out.rglob("*") if path.name.endswith(".tmp")]


@pytest.mark.usefixtures("in_process")
def test_the_page_is_opened_if_asked_for_and_a_report_prints_a_table(overmix, study_file, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or len(opened) == 1)
    out = tmp_path / "out"
    outcome = overmix("run", study_file(), "--out", out, "--open")
    assert (outcome.code, opened) == (0, [(out / "report.html").as_uri()])
    assert "No browser was found here" in overmix("report", out, "--open").out
    table = overmix("report", out, "--table", "markdown", "--paper")
    assert table.code == 0
    assert table.out.startswith("| Condition |")
    assert "@software{overmix," in table.out
    refused = overmix("report", out, "--table", "text", "--open")
    assert (refused.code, refused.out) == (2, "")


def test_help_needs_no_pytorch():
    code = (
        "import sys; from overmix.cli.app import run; run(['--help']); "
        "heavy = {'torch', 'numpy', 'polars', 'pydantic', 'sklearn'} & set(sys.modules); "
        "print(heavy or 'light', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "light\n"


def raising(error):
    def fail(*_args, **_kwargs):
        raise error

    return fail


@pytest.mark.parametrize("where", ["run_study.plan_study", "local.run_local", "run_study.write_results"])
def test_ctrl_c_says_how_to_go_on_wherever_it_comes(overmix, study_file, tmp_path, monkeypatch, where):
    monkeypatch.setattr("overmix.study.run.local.run_local", lambda *_, **__: None)
    monkeypatch.setattr(f"overmix.study.run.{where}", raising(KeyboardInterrupt()))
    path = study_file(name="my study.yaml")
    outcome = overmix("run", path, "--out", tmp_path / "out")
    assert outcome.code == 130
    assert outcome.err == (
        f"overmix: stopped; go on with the same command:\n    overmix run '{path}' --out {tmp_path / 'out'}\n"
    )


def test_a_stopped_study_says_how_to_go_on(overmix, study_file, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "overmix.study.run.local.run_local", raising(StudyInterrupted("stopped, what is finished is kept"))
    )
    outcome = overmix("demo", "--quick", "--out", tmp_path / "out")
    assert outcome.code == 130
    assert outcome.err == (
        "overmix: stopped, what is finished is kept; go on with the same command:\n"
        f"    overmix demo --quick --out {tmp_path / 'out'}\n"
    )


def test_ctrl_c_elsewhere_is_just_the_end(overmix, monkeypatch):
    monkeypatch.setattr("overmix.recipes.registered", raising(KeyboardInterrupt()))
    assert overmix("recipes") == (130, "", "overmix: stopped\n")


def test_a_fault_in_a_worker_shows_its_traceback_and_is_called_a_fault(overmix, study_file, tmp_path, monkeypatch):
    fault = WorkerFault("a worker failed with X: [red]", "Traceback [...]:\n  here\n")
    monkeypatch.setattr("overmix.study.run.local.run_local", raising(fault))
    outcome = overmix("run", study_file(), "--out", tmp_path / "out")
    assert (outcome.code, outcome.out.count("Traceback")) == (1, 0)
    assert outcome.err.startswith(
        "Traceback [...]:\n  here\n\novermix: a worker failed with X: [red]\novermix: this is a fault of overmix "
    )


def test_our_own_mistakes_are_not_hidden(overmix, monkeypatch):
    monkeypatch.setattr("overmix.recipes.registered", raising(ZeroDivisionError("a bug")))
    outcome = overmix("recipes")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("Traceback (most recent call last):\n")
    last = outcome.err.splitlines()[-2:]
    assert last[0] == "overmix: ZeroDivisionError: a bug"
    assert last[1].startswith(
        f"overmix: this is a fault of overmix {package.__version__}, not of what you gave: please"
    )


@pytest.fixture
def main(monkeypatch, capsys):
    """Return the entry point as a function of its arguments."""
    from overmix.cli import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["overmix", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return (left.value.code, *capsys.readouterr())

    return call


def test_the_entry_point_returns_the_exit_code(main):
    assert main("--version") == (0, f"overmix {package.__version__}\n", "")
    assert main("nonsense")[0] == 2


@pytest.mark.parametrize(
    ("module", "package"),
    [("polars", "polars"), ("yaml", "PyYAML"), ("sklearn.datasets", "scikit-learn"), ("typer", "typer")],
)
def test_without_the_extra_it_is_named(main, monkeypatch, module, package):
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    monkeypatch.setattr("overmix.cli.app.run", raising(error))
    assert main("demo") == (2, "", f"overmix: {package} is not installed: pip install 'overmix[study]'\n")


def test_another_missing_module_is_our_own_mistake(main, monkeypatch):
    monkeypatch.setattr("overmix.cli.app.run", raising(ModuleNotFoundError("No module named 'x'", name="x")))
    code, out, err = main("demo")
    assert (code, out) == (1, "")
    assert "Traceback" in err
    assert "a fault of overmix" in err


@pytest.mark.usefixtures("in_process")
def test_a_study_without_data_says_what_it_takes(overmix, study_file, tmp_path):
    tiny = study_file().read_text()
    named = overmix("run", study_file(), "--out", tmp_path / "named")
    unnamed = overmix("run", study_file(tiny.replace("name: digits, ", "")), "--out", tmp_path / "unnamed")
    note = "The study names no data: the built-in digits are taken. Your own: data: {name: npz, path: my-data.npz}"
    assert (note in named.out, note in unnamed.out) == (False, True)
