import os

from overmix.study.plan.workers import worker_count


def test_how_many_workers():
    assert worker_count(3, "cpu") == 3
    assert worker_count(3, "cuda") == 3
    assert worker_count("auto", "cuda:1") == 1
    assert 1 <= worker_count("auto", "cpu") <= (os.cpu_count() or 1)
