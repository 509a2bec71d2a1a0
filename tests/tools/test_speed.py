from tools.speed import finished_table, gpu_table, growth_table, loop_table, mixing_table, study_tables


def test_studies_beside_a_loop_and_where_their_time_goes():
    median = {"study": 4000.0, "loop": 1000.0, "ratio": 4.0, "of_limit": 0.5}
    spent = {"plans": 1.0, "batches": 1.0, "steps": 16.0, "looks": 2.0, "whole": 20.0, "products": 12.0, "limit": 8.0}
    setting = {"rows": [median, {**median, "ratio": 3.5}], "median": median, "profile": spent}
    text = study_tables({"settings": {"mlp": setting}, "workers": 2, "versions": {"torch": "2", "cpu": ""}})
    assert "| mlp | 4,000 | 1,000 | **4.00** (3.50 to 4.00) | 50% | 2 |" in text
    assert "Medians; 2 workers; torch 2." in text
    assert "| mlp | 5% | 5% | 80% | 10% | 75% of the steps | 50% of the steps |" in text
    assert "noise" not in text
    above = {**setting, "profile": {**spent, "limit": 17.0}}
    text = study_tables({"settings": {"mlp": above}, "workers": 2, "versions": {"torch": "2", "cpu": ""}})
    assert "106% of the steps |\n\nThe limit is measured" in text


def test_mixing():
    row = {"median_ms": 0.2, "lowest_ms": 0.1, "highest_ms": 1.0}
    text = mixing_table({"rows": {"ours": row}, "rounds": 3, "versions": {"torch": "2"}})
    assert "| ours | 0.20 | 0.10 | 1.00 |" in text


def test_what_runs_and_finished_studies_cost():
    rows = {"bare": {"ratio": 1.0, "steps": 80}, "AutoSwitch": {"ratio": 1.014, "steps": 104}}
    assert "| AutoSwitch | 1.01 | 104 |" in loop_table(
        {"rows": rows, "rounds": 5, "epochs": 10, "versions": {"torch": "2"}}
    )
    costs = ("statistics", "page", "again", "report", "floor")
    finished = {"conditions": 15, "seeds": 8, "versions": {"torch": "2"}, **{f"{name}_cpu_s": 2.0 for name in costs}}
    assert finished_table(finished).endswith("\n\ntorch 2.")
    assert finished_table(finished | {"note": "one by one"}).endswith("torch 2. One by one.")


def test_a_gpu_that_was_not_there_is_said():
    assert "not run" in gpu_table(None)
    stack = {"model": "mlp", "replicas": 8, "replica_steps_per_s": 1e4, "loop_steps_per_s": 1e3, "ratio": 10.0}
    gpu = {
        "device": "A GPU",
        "checks": {"resumed": "passed", "in_place": "AssertionError: moved"},
        "stacks": [stack | {"peak_mib": 12.0}],
        "mixing_us": {"ours": 20.0},
        "versions": {"torch": "2"},
    }
    text = gpu_table(gpu)
    assert "**A GPU**: 1 of 2 checks passed; in_place: AssertionError: moved." in text
    assert "| mlp | 8 | 10,000 | 1,000 | 10.00 | 12 |" in text


def test_growth():
    row = {"value": 12800, "microseconds": 742.4, "seconds": 76.0, "mib": 81.2}
    text = growth_table({"base": {"replicas": 16}, "axes": {"samples": [row]}, "versions": {"torch": "2"}})
    assert "| samples | 12,800 | 742 | 76.0 | 81 |" in text
    assert "The others stay at 16 replicas. torch 2." in text
