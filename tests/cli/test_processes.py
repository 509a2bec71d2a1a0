"""The command line as a user meets it: real processes, Ctrl-C, pipes, missing packages."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from overmix.cli.app import run

pytestmark = pytest.mark.slow

STUDY = """\
data: {name: digits, train_size: 128, val_size: 64}
model: {hidden: [32]}
train: {epochs: 1000, batch_size: 64}
compare: [{name: ERM, recipe: NoMixup}, {name: Mixup}]
seeds: 8
device: cpu
executor: {workers: 2}
"""
# The real command line, more talkative.
DRIVER = """
import sys
import overmix.cli.progress

if __name__ == "__main__":
    overmix.cli.progress._PLAIN_SECONDS = 0.3
    from overmix.cli import main
    main()
"""


@pytest.fixture
def start(tmp_path):
    (tmp_path / "driver").mkdir()
    script = tmp_path / "driver" / "talkative.py"
    script.write_text(DRIVER)
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def read_until(process, wanted):
    line = ""
    while not wanted(line):
        line = process.stdout.readline()
        assert line, process.stderr.read()


def press_ctrl_c(process):
    """Send Ctrl-C to the whole group, as a terminal does, and return exit code and errors."""
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_ctrl_c_while_workers_start_while_they_work_and_then_to_the_end(start, tmp_path, capsys):
    study, out = tmp_path / "s.yaml", tmp_path / "out"
    study.write_text(STUDY)
    arguments = ("run", study, "--out", out)
    told = (
        "overmix: stopped, what is finished is kept; go on with the same command:\n"
        f"    overmix run {study} --out {out}\n"
    )  # fmt: skip

    # The workers are still importing their libraries.
    process = start(*arguments)
    read_until(process, lambda line: "results go to" in line)
    time.sleep(0.7)
    assert press_ctrl_c(process) == (130, told)

    # They work, and nobody else may write there.
    process = start(*arguments)
    read_until(process, lambda line: "%" in line and not line.strip().startswith("0 %"))
    assert run([str(argument) for argument in arguments]) == 2
    assert "another overmix process is writing here: wait for it, or choose another --out" in capsys.readouterr().err
    assert press_ctrl_c(process) == (130, told)
    assert list((out / "checkpoints").glob("*.safetensors"))
    assert not (out / "summary.json").exists()

    # The same command goes on, to the end; with --json, standard output is JSON alone.
    process = start(*arguments, "--json")
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert json.loads(output)["n_test"] == 1000
    assert (out / "report.html").exists()
    assert not list((out / "checkpoints").iterdir())


def entry_point(code, *arguments, **options):
    command = [sys.executable, "-c", f"import sys; {code}; from overmix.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


@pytest.mark.parametrize(
    ("module", "package", "command"),
    [("typer", "typer", ["--version"]), ("polars", "polars", ["demo"]), ("yaml", "PyYAML", ["run", "s.yaml"])],
)
def test_without_the_study_extra(module, package, command, tmp_path):
    left = entry_point(f"sys.modules[{module!r}] = None", *command, cwd=tmp_path)
    assert left.returncode == 2
    assert left.stdout in ("", "checking the study and its data ...\n")
    assert left.stderr == f"overmix: {package} is not installed: pip install 'overmix[study]'\n"
    assert not any(tmp_path.iterdir())


def test_a_reader_that_has_seen_enough_is_no_error():
    command = [sys.executable, "-c", "from overmix.cli import main; main()", "recipes", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == ""


def test_a_terminal_that_knows_no_arrows(tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    left = entry_point("pass", "recipes", env=environment)
    assert left.returncode == 0
    assert "Traceback" not in left.stderr


def test_help_does_not_import_what_it_does_not_need():
    heavy = "polars", "vl_convert", "pydantic", "sklearn"
    code = "import overmix.cli.app; print([name for name in %r if name in sys.modules])" % (heavy,)  # noqa: UP031
    loaded = subprocess.run([sys.executable, "-c", f"import sys; {code}"], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
