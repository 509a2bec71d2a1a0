from tools.speed import tables


def test_tables():
    study = {
        "rows": [{"study": 4000.0, "loop": 1000.0, "ratio": 4.0, "of_limit": 0.5}],
        "median": {"ratio": 4.0},
        "versions": {"torch": "2", "cpu": ""},
    }
    mix = {
        "rows": {"ours": {"median_ms": 0.2, "lowest_ms": 0.1, "highest_ms": 1.0}},
        "rounds": 3,
        "versions": {"torch": "2"},
    }
    text = tables(study, mix)
    assert "| 1 | 4,000 | 1,000 | 4.00 | 50% |" in text
    assert "Median ratio **4.00**, 4.00 to 4.00 over 1 rounds; torch 2." in text
    assert "| ours | 0.20 | 0.10 | 1.00 |" in text
