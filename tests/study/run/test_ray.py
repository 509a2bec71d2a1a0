"""A real Ray cluster of two nodes on this machine, one of which is killed in the middle."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import overmix
from overmix.cli.app import USAGE_ERROR, run
from overmix.errors import MissingExtraError
from overmix.study import parse_study, run_study

STUDY = {
    "data": {"name": "digits", "train_size": 128, "val_size": 64},
    "model": {"hidden": [32]},
    "train": {"epochs": 300, "batch_size": 64},
    "compare": [
        {"name": "ERM", "recipe": "NoMixup"},
        {"name": "Mixup"},
        {"name": "off", "schedule": {"off_at": 100}},
    ],
    "seeds": 8,
    "device": "cpu",
}

# The driver's own node is the head; the other one comes while it runs, is given a stack, and is killed.
DRIVER = """
import json, sys
from pathlib import Path

from ray.cluster_utils import Cluster

from overmix.errors import OvermixError
from overmix.study import parse_study, run_study

SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20}

def main(study, out, temporary):
    cluster = Cluster(True, head_node_args={**SMALL, "include_dashboard": False, "temp_dir": temporary})
    nodes, epochs, notes = [], {}, []

    def start(outlook):
        nodes.append(cluster.add_node(**SMALL))

    def tell(progress):
        if progress.note:
            notes.append(progress.note)
            return
        epochs[progress.stack] = progress.epoch
        if nodes and sum(epoch > 0 for epoch in epochs.values()) == 2:
            cluster.remove_node(nodes.pop(), allow_graceful=False)

    try:
        for asked in ({"num_gpus": 1}, {"num_cpus": 64}):
            spec = parse_study({**study, "executor": {"name": "ray", "address": cluster.address, **asked}})
            try:
                run_study(spec, Path(out) / "refused")
            except OvermixError as error:
                notes.append(str(error))
        spec = parse_study({**study, "executor": {"name": "ray", "address": cluster.address}})
        run_study(spec, Path(out) / "ray", on_start=start, tell=tell, checkpoint_seconds=0.2)
    finally:
        cluster.shutdown()
    print(json.dumps(notes))

if __name__ == "__main__":
    main(json.loads(sys.argv[1]), *sys.argv[2:])
"""


@pytest.mark.slow
def test_a_killed_node_leaves_the_bytes_of_a_local_run(tmp_path):
    pytest.importorskip("ray")
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
    # Ray's sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="omx", ignore_cleanup_errors=True) as temporary:
        done = subprocess.run(
            [sys.executable, str(script), json.dumps(STUDY), str(tmp_path), temporary],
            capture_output=True,
            text=True,
            env=environment,
            timeout=540,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    *refused, lost = json.loads(done.stdout.splitlines()[-1])
    assert refused == [
        "executor = 'ray': no node of the cluster has 1 processors and 1 GPUs: ask for less for each stack",
        "executor = 'ray': no node of the cluster has 64 processors and 0 GPUs: ask for less for each stack",
    ]
    assert not (tmp_path / "refused").exists()
    assert lost.startswith("a stack of 8 runs was lost (")
    run_study(parse_study(STUDY | {"executor": {"workers": 2}}), tmp_path / "local")
    curves = [(tmp_path / name / "curves.parquet").read_bytes() for name in ("ray", "local")]
    assert curves[0] == curves[1]
    assert not list((tmp_path / "ray" / "checkpoints").iterdir())


@pytest.mark.parametrize(
    ("address", "told"),
    [("127.0.0.1:9", "Connection refused"), ("nowhere", "it is no host:port")],
)
def test_a_cluster_that_does_not_answer_is_one_line_and_no_folder(tmp_path, capsys, address, told):
    pytest.importorskip("ray")
    study = tmp_path / "s.yaml"
    study.write_text(json.dumps(STUDY | {"executor": {"name": "ray", "address": address}}))
    assert run(["run", str(study), "--out", str(tmp_path / "out")]) == USAGE_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"overmix: executor.address = '{address}': no Ray cluster answers there (")
    assert told in line
    assert "ray start --head" in line
    assert not (tmp_path / "out").exists()


def test_without_ray_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "overmix.study.run.ray_cluster", raising=False)
    spec = parse_study(STUDY | {"executor": "ray"})
    with pytest.raises(MissingExtraError, match=r"ray is not installed: pip install 'overmix\[ray\]'"):
        run_study(spec, tmp_path / "out")
    assert not Path(tmp_path / "out").exists()


def test_ray_is_imported_in_one_module_which_is_imported_where_it_is_asked_for():
    source = Path(overmix.__file__).parent
    pattern = re.compile(r"^ *(?:import|from) (?:ray\b|overmix\.study\.run\.ray_cluster).*", re.M)
    every = {file.name: pattern.findall(file.read_text()) for file in source.rglob("*.py")}
    importing = {name: lines for name, lines in every.items() if lines}
    assert importing.keys() == {"ray_cluster.py", "executor.py"}
    assert all(line.startswith("    ") for line in importing["executor.py"])
