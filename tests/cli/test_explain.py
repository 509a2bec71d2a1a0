"""``overmix explain``, the whole way: numbers, files, and one line for what cannot work."""

import json
import math
import sys

import numpy as np
import pytest
import torch
from scipy.special import digamma


def test_the_floor_of_ten_classes_is_exactly_045(overmix):
    outcome = overmix("explain", "floor", "--classes", 10, "--alpha", 1, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith('{\n  "floor": 0.45,')
    assert json.loads(outcome.out)["floor"] == 0.45


@pytest.mark.parametrize("alpha", [0.05, 0.4, 1.0, 8.0])
@pytest.mark.parametrize("counts", [[50, 30, 20], [1, 99], [7, 0, 3]])
def test_the_floor_agrees_with_the_closed_form(overmix, counts, alpha):
    outcome = overmix("explain", "floor", "--class-counts", ",".join(map(str, counts)), "--alpha", alpha, "--json")
    shares = np.array(counts) / sum(counts)
    expected = (1 - np.sum(shares**2)) * (digamma(2 * alpha + 1) - digamma(alpha + 1))
    assert json.loads(outcome.out)["floor"] == pytest.approx(expected, abs=1e-9)


def test_a_fixed_weight_a_batch_and_other_objectives(overmix):
    def floor(*options):
        return json.loads(overmix("explain", "floor", *options, "--json").out)

    assert floor("--classes", 2, "--lam", 0.5)["floor"] == pytest.approx(math.log(2) / 2)
    batch = floor("--classes", 10, "--batch-size", 128, "--samples", 50_000)
    assert batch["floor"] == pytest.approx(0.5 * (1 - 1 / 128) * 45_000 / 49_999, abs=1e-12)
    assert batch["floor_all_pairs"] == 0.45
    assert floor("--classes", 10, "--objective", "squared_error")["floor"] == 0
    assert floor("--classes", 10, "--objective", "squared_error_mixed")["floor"] == pytest.approx(0.9 / 3)


def test_limits_are_numbers_and_never_nan(overmix):
    for options, expected in [
        (("--classes", 1), 0.0),
        (("--classes", 10, "--alpha", 0), 0.0),
        (("--classes", 10, "--alpha", "inf"), 0.9 * math.log(2)),
        (("--classes", 10, "--lam", 1), 0.0),
        (("--class-counts", "5"), 0.0),
    ]:
        outcome = overmix("explain", "floor", *options, "--json")
        assert outcome.code == 0
        assert json.loads(outcome.out, parse_constant=pytest.fail)["floor"] == pytest.approx(expected, abs=1e-12)


def test_the_floor_of_a_data_set_and_of_a_study(overmix, study_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    y = np.repeat([0, 1], [30, 10])
    np.savez("d.npz", x=np.random.default_rng(0).random((40, 3)), y=y, x_test=np.ones((2, 3)), y_test=np.array([0, 1]))
    found = json.loads(overmix("explain", "floor", "--data", "d.npz", "--json").out)
    assert found["class_counts"] == [30, 10]
    assert found["floor"] == pytest.approx(0.5 * (1 - 0.75**2 - 0.25**2))
    rows = json.loads(overmix("explain", "floor", "--study", study_file(), "--json").out)["conditions"]
    assert [row["condition"] for row in rows] == ["ERM", "Mixup"]
    assert rows[0]["floor"] is None
    shares = np.array(rows[1]["class_counts"]) / 64
    expected = np.mean((1 - np.sum(shares**2, axis=1)) * 64 / 63) * (1 - 1 / 32) / 2
    assert rows[1]["floor"] == pytest.approx(expected, abs=1e-12)


def test_a_study_that_names_code_needs_permission(overmix, study_file):
    path = study_file("data: {train_size: 64}\nmodel: no_such_module:make\nseeds: 1\ntrain: {batch_size: 32}\n")
    outcome = overmix("explain", "floor", "--study", path)
    assert (outcome.code, outcome.out) == (2, "")
    assert "allow it with --allow-code" in outcome.err
    # The floor needs the labels alone: no model is built.
    assert overmix("explain", "floor", "--study", path, "--allow-code").code == 0


REFUSED = [
    (["floor"], "classes = None: give one of --classes, --class-counts, --data or --study"),
    (["floor", "--classes", "3", "--class-counts", "1,2"], "give one of --classes, "),
    (["floor", "--classes", "0"], "num_classes = 0: use at least one class"),
    (["floor", "--class-counts", "0,0"], "class_counts = '0,0': write whole numbers of samples >= 0"),
    (["floor", "--class-counts", "5,-1"], "class_counts = '5,-1': write whole numbers"),
    (["floor", "--class-counts", "5,2.5"], "class_counts = '5,2.5': write whole numbers"),
    (["floor", "--class-counts", "nan,1"], "class_counts = 'nan,1': write whole numbers"),
    (["floor", "--class-counts", ""], "class_counts = '': write whole numbers"),
    (["floor", "--classes", "10", "--alpha", "-1"], "alpha = -1.0: use a number >= 0"),
    (["floor", "--classes", "10", "--alpha", "nan"], "alpha = nan: use a number >= 0"),
    (["floor", "--classes", "10", "--lam", "1.5"], "lam = 1.5: use weights from 0 to 1"),
    (["floor", "--classes", "10", "--lam", "nan"], "lam = nan: use weights from 0 to 1"),
    (["floor", "--classes", "10", "--batch-size", "8"], "num_samples = None: give the size of the training set"),
    (["floor", "--classes", "10", "--samples", "8"], "samples = 8: give batch_size too"),
    (["floor", "--class-counts", "2,2", "--batch-size", "5"], "batch_size = 5: use a size from 1 to the 4"),
    (
        ["floor", "--class-counts", "1,0", "--batch-size", "1"],
        "num_samples = 1.0: use at least 2 samples",
    ),
    (["floor", "--classes", "3", "--objective", "squared"], "objective = 'squared': did you mean squared_error?"),
    (["floor", "--data", "digit"], "data.name = 'digit': did you mean digits?"),
    (["floor", "--data", "none.npz"], "data.path = 'none.npz': there is no such file"),
    (["noise", "--data", "digits", "--alpha", "-1"], "alpha = -1.0: use a finite number > 0"),
    (["noise", "--data", "digits", "--alpha", "nan"], "alpha = nan: use a finite number > 0"),
    (["noise", "--data", "digits", "--lam", "2"], "lam = 2.0: use a weight from 0 to 1"),
    (["noise", "--data", "digits", "--samples", "1"], "samples = 1: use at least 2"),
    (["noise", "--data", "digits", "--samples", "3"], "samples = 3: use at least 5"),
    (["noise", "--data", "digits", "--mixtures", "0"], "mixtures = 0: use at least 1"),
    (["noise", "--data", "digits", "--epochs", "0", "--samples", "40"], "epochs = 0: use at least 1"),
    (["noise", "--data", "digits", "--model", "mpl", "--samples", "40"], "model.name = 'mpl': did you mean mlp?"),
    (["noise", "--draws", "0"], "draws = 0: use at least 1"),
    (["hessian", "--probes", "0"], "probes = 0: use at least 1"),
    (["noise", "--teacher", "mine:make"], "teacher = 'mine:make': an import path runs that module's code"),
    (["noise", "--teacher", "no_such:make", "--allow-code"], "No module named 'no_such'"),
    (["dynamics", "--samples", "0"], "samples = 0: use at least 1"),
    (["dynamics", "--alpha", "0"], "alpha = 0.0: use a finite number > 0, or a fixed lam"),
    (["dynamics", "--alpha", "nan"], "alpha = nan: use a finite number > 0"),
    (["dynamics", "--eta", "0"], "eta = 0.0: use a finite learning rate > 0"),
    (["dynamics", "--eta", "nan"], "eta = nan: use a finite learning rate > 0"),
    (
        ["dynamics", "--eta", "9", "--seeds", "1"],
        "eta = 9.0: gradient descent diverges here: use less than 2 / mu_max =",
    ),
    (["dynamics", "--steps", "5"], "steps = 5: use 10 to 1e+15 steps"),
    (["dynamics", "--steps", "1" + 30 * "0"], "0: use 10 to 1e+15 steps"),
    (["dynamics", "--teacher-scale", "inf"], "teacher_scale = inf: use a finite number > 0"),
    (["dynamics", "--features", "2", "--seeds", "1"], "teacher_width = 5: use at most the 2 features"),
    (["dynamics", "--arrays", "f.npz", "--samples", "5"], "samples = 5: it has no effect with --arrays"),
    (["dynamics", "--lam", ".3", "--alpha", "1"], "alpha = 1.0: it has no effect with --lam: leave one of the two out"),
    (["noise", "--lam", ".3", "--alpha", "2"], "alpha = 2.0: it has no effect with --lam"),
    (["floor", "--classes", "3", "--lam", ".3", "--alpha", "2"], "alpha = 2.0: it has no effect with --lam"),
    (["floor", "--class-counts", "3,4", "--samples", "9"], "samples = 9: it has no effect with --class-counts"),
    (["floor", "--study", "s.yaml", "--batch-size", "9"], "batch_size = 9: it has no effect with --study"),
    (["dynamics", "--arrays", "none.npz"], "arrays = 'none.npz': there is no such file"),
    (["hessian", "--alpha", "0"], "alpha = 0.0: use a finite number > 0"),
    (["hessian", "--samples", "1"], "samples = 1: use at least 2"),
    (["hessian", "--mixtures", "5"], "mixtures = 5: use at least 100"),
    (
        ["hessian", "--model", "mine:make"],
        "model = 'mine:make': an import path runs that module's code: allow",
    ),
]


@pytest.mark.parametrize(
    "command", [["noise"], ["hessian"], ["dynamics"], ["floor", "--classes", "3"]], ids=lambda command: command[0]
)
def test_a_place_that_cannot_be_written_is_refused_before_any_work(overmix, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("noise", "hessian", "dynamics", "floor"):
        monkeypatch.setattr(f"overmix.report.explain.{name}.explain_{name}", lambda *_, **__: pytest.fail("work"))
    (tmp_path / "file").touch()
    for folder in ("linked", "taken"):
        (tmp_path / folder).mkdir()
    (tmp_path / "linked" / "figures").symlink_to(tmp_path)
    (tmp_path / "taken" / "report.html").mkdir()
    (tmp_path / "nowhere").symlink_to("gone")
    for place, told in [
        ("file/x", f"file/x: {tmp_path}/file is a file, no folder: choose another folder"),
        ("nowhere", f"nowhere: {tmp_path}/nowhere is a link that leads nowhere: choose another folder"),
        ("linked", "linked/figures: it is a link to another folder: remove it, or choose another folder"),
        ("taken", "taken/report.html: it is a folder: choose another folder"),
    ]:
        outcome = overmix("explain", *command, "--out", place)
        assert (outcome.code, outcome.err) == (2, f"overmix: {told}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "linked", "nowhere", "taken"]


def test_numbers_that_no_memory_holds_are_one_line(overmix, monkeypatch):
    def too_much(*_, **__):
        raise MemoryError("Unable to allocate 74.5 GiB")

    monkeypatch.setattr("overmix.report.explain.dynamics.explain_dynamics", too_much)
    outcome = overmix("explain", "dynamics")
    assert outcome.code == 2
    assert outcome.err == (
        "overmix: there is not enough memory for this (Unable to allocate 74.5 GiB): use smaller numbers, "
        "fewer or smaller files, or a machine with more of it\n"
    )
    assert overmix("explain", "dynamics", "--features", "1" + 30 * "0").code == 2


def test_a_model_of_the_users_that_fails_in_training_is_told_as_theirs(overmix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "frail.py").write_text(
        "import torch\n\nclass Frail(torch.nn.Flatten):\n    def forward(self, x):\n        assert not self.training\n"
        "        return super().forward(x)[:, :10]\n\ndef make(sample_shape, num_classes):\n    return Frail()\n"
    )
    monkeypatch.setattr(
        "overmix.report.explain.hessian.fit", lambda network, *_, **__: network.train()(torch.ones(2, 64))
    )
    outcome = overmix("explain", "hessian", "--model", "frail:make", "--allow-code", "--samples", "40")
    assert outcome.code == 2
    assert "frail.py, line 5) raised AssertionError" in outcome.err.splitlines()[-1]


@pytest.mark.parametrize(("arguments", "told"), REFUSED, ids=[" ".join(row[0]) for row in REFUSED])
def test_what_cannot_work_is_one_line(overmix, arguments, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = overmix("explain", *arguments, "--out", "out")
    assert (outcome.code, outcome.out) == (2, "")
    *progress, error = outcome.err.splitlines()
    assert error.startswith("overmix: ")
    assert told in error
    assert all(line.startswith("teacher ") for line in progress)
    assert not (tmp_path / "out").exists()


def arrays(**changes):
    rng = np.random.default_rng(0)
    features, test = rng.normal(size=(30, 6)), rng.normal(size=(20, 6))
    noise = 0.1 * rng.normal(size=30)
    return {
        "features": features,
        "targets": features.sum(1) + noise,
        "noise": noise,
        "test_features": test,
        "test_targets": test.sum(1),
        **changes,
    }


def poisoned(row, column, value):
    features = arrays()["features"].copy()
    features[row, column] = value
    return features


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features": poisoned(3, 2, np.nan)}, "features: row 3 is not finite; remove or repair it"),
        ({"features": poisoned(4, 0, np.inf)}, "features: row 4 is not finite"),
        ({"features": poisoned(5, 0, 1e300)}, "features or targets overflow when squared: scale them down"),
        ({"targets": np.full(30, np.nan)}, "targets: row 0 is not finite"),
        ({"test_features": np.full((20, 6), np.nan)}, "features: row 0 is not finite"),
        ({"features": np.zeros((0, 6)), "targets": np.zeros(0), "noise": np.zeros(0)}, "no samples given"),
        ({"targets": np.zeros(29)}, "features has 30 rows but targets has 29: give one for each row"),
        ({"test_features": np.zeros((20, 5))}, "numbers of features differ"),
        ({"features": np.zeros(30)}, "features has shape (30,): use (samples, features)"),
        ({"targets": np.array(["a"] * 30)}, "targets has dtype <U1: use numbers"),
        ({"erm_features": np.zeros((2, 6))}, "give both erm_features and erm_targets, or neither"),
    ],
)
def test_arrays_that_cannot_work_are_named(overmix, tmp_path, changes, told):
    np.savez(tmp_path / "p.npz", **arrays(**changes))
    outcome = overmix("explain", "dynamics", "--arrays", tmp_path / "p.npz", "--steps", 100)
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_files_that_hold_no_arrays(overmix, tmp_path):
    (tmp_path / "p.npz").write_bytes(b"no archive")
    assert "it is no .npz file of numbers" in overmix("explain", "dynamics", "--arrays", tmp_path / "p.npz").err
    np.savez(tmp_path / "q.npz", features=np.ones((2, 2)))
    outcome = overmix("explain", "dynamics", "--arrays", tmp_path / "q.npz")
    assert "it lacks targets, test_features, test_targets" in outcome.err
    objects = np.array([[1], [1, 2]], dtype=object)
    np.savez(tmp_path / "r.npz", **arrays(features=objects))
    outcome = overmix("explain", "dynamics", "--arrays", tmp_path / "r.npz")
    assert (outcome.code, "Traceback" in outcome.err) == (2, False)


def test_a_diverging_rate_names_the_largest_that_is_not(overmix, tmp_path):
    np.savez(tmp_path / "p.npz", **arrays())
    largest = 2 / np.linalg.eigvalsh(arrays()["features"].T @ arrays()["features"] / 30)[-1]
    for eta, code in [(1.001 * largest, 2), (0.999 * largest, 0)]:
        outcome = overmix("explain", "dynamics", "--arrays", tmp_path / "p.npz", "--eta", eta, "--steps", 50, "--json")
        # The bound needs half of it, and says so.
        assert outcome.code == code or "the flow" in outcome.err
        if code:
            assert f"use less than 2 / mu_max = {largest:.6g}" in outcome.err


def test_singular_features_and_a_single_sample_have_their_limit(overmix, tmp_path):
    rng = np.random.default_rng(1)
    twice = np.repeat(rng.normal(size=(30, 3)), 2, axis=1)
    for features, null in [(twice, 3), (twice[:1], 5)]:
        n = len(features)
        targets = features.sum(1)
        np.savez(
            tmp_path / "p.npz",
            features=features,
            targets=targets,
            test_features=features,
            test_targets=targets,
        )
        outcome = overmix(
            "explain", "dynamics", "--arrays", tmp_path / "p.npz", "--eta", 0.1, "--steps", 100_000, "--json"
        )
        assert outcome.code == 0, outcome.err
        found = json.loads(outcome.out, parse_constant=pytest.fail)
        assert found["problem"]["null_modes"] == null
        assert found["problem"]["samples"] == n
        # The smallest solution fits what can be fitted, though Phi Phi^T cannot be inverted.
        assert found["limit_risk"] == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize(
    ("targets", "told"),
    [([0.9, 1, 1.1], "still turns, at step 7"), ([1.9, 2, 2.1], "Here the test risk does not turn")],
)
def test_a_single_sample_turns_where_the_fit_overshoots(overmix, tmp_path, targets, told):
    np.savez(tmp_path / "p.npz", features=[[1.0]], targets=[2.0], test_features=np.ones((3, 1)), test_targets=targets)
    assert told in " ".join(overmix("explain", "dynamics", "--arrays", tmp_path / "p.npz", "--steps", 1000).out.split())


def test_own_arrays_with_noise_and_a_switch(overmix, tmp_path):
    data = arrays()
    np.savez(tmp_path / "p.npz", **data, erm_features=data["features"][:8], erm_targets=data["targets"][:8])
    options = ["--eta", 0.1, "--steps", 1000, "--json", "--out", tmp_path / "out"]
    outcome = overmix("explain", "dynamics", "--arrays", tmp_path / "p.npz", *options)
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found["bound"]["holds"]
    # Stepped by hand, as far as the lowest point and the end.
    theta, risks = np.zeros(6), []
    for _ in range(1001):
        risks.append(np.mean((data["test_features"] @ theta - data["test_targets"]) ** 2))
        theta -= 0.1 / 30 * data["features"].T @ (data["features"] @ theta - data["targets"])
    assert found["best"]["risk"] == pytest.approx(min(risks), rel=1e-9)
    assert risks[int(found["best"]["step"])] == pytest.approx(min(risks), rel=1e-9)
    assert found["final_risk"] == pytest.approx(risks[-1], rel=1e-9)
    assert found["switch"]["mixup"] == pytest.approx(risks[-1], rel=1e-9)
    assert sorted(path.name for path in (tmp_path / "out" / "figures").glob("*.png")) == [
        "bound.png",
        "risk.png",
        "switch-time.png",
    ]


TOY = ["--seeds", 3, "--steps", 20_000]


def test_dynamics_of_the_toy(overmix, tmp_path):
    outcome = overmix("explain", "dynamics", *TOY, "--out", tmp_path / "out")
    assert (outcome.code, outcome.err) == (0, "")
    for word in ("Mixup", "true labels", "realizable", "fresh real samples", "bound", "Page: "):
        assert word in outcome.out
    found = json.loads((tmp_path / "out" / "summary.json").read_text(), parse_constant=pytest.fail)
    assert found["bound"]["holds"]
    assert found["seeds"] == [0, 1, 2]
    true_labels = found["conditions"]["realizable"]["mixup_true_labels"]
    assert true_labels["final"]["mean"] < 0.05 < found["conditions"]["realizable"]["mixup"]["final"]["mean"]
    curve = found["switch"]["curve"]
    assert curve["final"][0] == pytest.approx(found["switch"]["erm"]["mean"], rel=1e-5)
    page = (tmp_path / "out" / "report.html").read_text()
    for name in ("risk-generic", "risk-realizable", "bound", "switch-time", "modes"):
        assert f'data-chart="{name}"' in page
        assert (tmp_path / "out" / "figures" / f"{name}.svg").exists()


def test_one_sample_cannot_be_mixed_and_the_toy_says_so(overmix):
    outcome = overmix("explain", "dynamics", *TOY[:2], "--steps", 1000, "--samples", 1, "--eta", 0.01, "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out, parse_constant=pytest.fail)
    row = found["conditions"]["generic"]
    assert row["mixup"]["final"]["mean"] == pytest.approx(row["erm"]["final"]["mean"], rel=1e-9)
    words = overmix("explain", "dynamics", *TOY[:2], "--steps", 1000, "--samples", 1, "--eta", 0.01).out
    assert "With one sample there is no partner" in words


@pytest.fixture
def blobs(tmp_path, monkeypatch):
    """Three classes in a row, so that the outer two mix to the middle one, in the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    x = np.stack([4.0 * y, np.zeros(240)], axis=1) + 0.3 * rng.normal(size=(240, 2))
    np.savez("blobs.npz", x=x, y=y)
    return tmp_path / "blobs.npz"


def noise(overmix, *options):
    outcome = overmix("explain", "noise", "--data", "blobs.npz", "--draws", 100, "--json", *options)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out, parse_constant=pytest.fail)


def test_noise_finds_the_class_between_two_others(overmix, blobs, tmp_path):
    found = noise(overmix, "--mixtures", 3000, "--epochs", 60, "--out", "out")
    pairs = {(row["a"], row["b"]): row for row in found["by_class_pair"]}
    assert pairs["0", "2"]["looks_most_like"] == "1"
    assert 0.4 < pairs["0", "2"]["third_class"]["mean"] < 0.6  # lam within 1/4 of one half
    assert pairs["0", "1"]["third_class"]["mean"] < 0.1
    assert pairs["1", "1"]["total_variation"]["mean"] < 0.1
    assert found["teacher"]["error"] < 0.05
    overall = found["overall"]
    assert overall["bound"]["mean"] <= overall["tv"]["mean"] <= overall["independent"]["mean"]
    for row in overall.values():
        assert row["ci"][0] <= row["mean"] <= row["ci"][1]
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'data-chart="noise-by-class-pair"' in page
    assert (tmp_path / "out" / "figures" / "third-class.png").read_bytes().startswith(b"\x89PNG")


def test_noise_with_a_model_of_ones_own(overmix, blobs, tmp_path, monkeypatch):
    (tmp_path / "nearest_center.py").write_text(
        "import torch\n"
        "class Nearest(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return -50 * (x[:, :1] - torch.tensor([0.0, 4.0, 8.0])) ** 2\n"
        "def make(*, sample_shape, num_classes):\n"
        "    return Nearest()\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = noise(overmix, "--teacher", "nearest_center:make", "--allow-code", "--lam", 0.5, "--mixtures", 500)
    pairs = {(row["a"], row["b"]): row for row in found["by_class_pair"]}
    assert pairs["0", "2"]["third_class"] | {"n": 0} == pytest.approx(
        {"mean": 1.0, "ci": pytest.approx([0.9, 1.0], abs=0.1), "n": 0}
    )
    assert found["n_samples"] == 60  # the test samples of that file
    assert found["teacher"]["error"] == 0
    assert "nearest_center:make" in found["teacher"]["how"]


@pytest.mark.slow
def test_hessian_compares_both_bands(overmix, tmp_path):
    options = ["--samples", 100, "--mixtures", 300, "--epochs", 200, "--seeds", 2, "--out", tmp_path / "out"]
    outcome = overmix("explain", "hessian", *options, "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out, parse_constant=pytest.fail)
    for row in found["measured"].values():
        assert set(row) == {"near 1/2", "near 1"}
        for band in row.values():
            assert band["ERM"]["mean"] > 0
            assert band["Mixup"]["n"] == 2
    # Mixup flattens the logits: a Jacobian several times smaller, whatever the place.
    assert found["measured"]["jacobian_norm"]["near 1"]["ratio"]["mean"] < 0.7
    assert (tmp_path / "out" / "figures" / "hessian-trace.svg").exists()


def test_help_shows_examples(overmix):
    for command, example in [
        ("floor", "overmix explain floor --classes 10 --alpha 1 --json"),
        ("noise", "overmix explain noise --data mine.npz --alpha 0.4 --json"),
        ("dynamics", "overmix explain dynamics --out dynamics"),
        ("hessian", "overmix explain hessian --data digits"),
    ]:
        outcome = overmix("explain", command, "--help")
        assert example in [line.strip() for line in outcome.out.splitlines()]
