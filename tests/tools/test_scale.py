from tools.scale import tables


def test_the_tables_say_what_is_measured_assumed_and_found():
    row = {"stacks": 500, "gpus": 1000, "hours": [1.0, 2.0, 3.0], "reserved_hours": 2000.0, "used": 0.25, "losses": 1.0}
    text = tables(
        {
            "draws": 20,
            "assumed": {
                "mean_stack_hours": 1.0,
                "mtbf": 2000.0,
                "away": 0.25,
                "checkpoint": 1 / 60,
                "spread": 0.03,
                "slow": 0.01,
            },
            "measured": {
                "stacks": 90,
                "longest_over_mean": 1.7,
                "off_the_assumed": [0.7, 1.5],
                "result_kib": 9.0,
                "checkpoint_kib": 246.0,
                "versions": {"torch": "2"},
            },
            "by_size": [row | {"way": "queue"}, row | {"way": "shards"}],
            "by_loss": [
                row | {"mtbf_hours": 200.0, "checkpoint_seconds": 60.0, "lost_hours": 0.4},
                row | {"mtbf_hours": 200.0, "checkpoint_seconds": None, "lost_hours": 25.9},
            ],
        }
    )
    assert "| 500 | 1,000 | Ray | 2.0 (1.0–3.0) | 2,000 | 25% | 1 |" in text
    assert "| 500 | 1,000 | shards |" in text
    assert "| 200 h | 1 min | 2.0 | 0.4 |" in text
    assert "| 200 h | none | 2.0 | 25.9 |" in text
    assert "lost once in 2,000 h and replaced in 15 min; a checkpoint is written every 60 s" in text
