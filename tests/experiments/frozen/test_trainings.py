"""What was written down stays: another list is another benchmark."""

import hashlib

from overmix.experiments.switch_benchmark.frozen.data import DATA, FASHION
from overmix.experiments.switch_benchmark.frozen.trainings import RECIPES, TRAININGS

UNTOUCHED = ("german", "mnist", "letter", "optdigits", "satimage", "splice", "vehicle", "vowel", "wdbc", "crx")
"""Data sets that stay unseen, and those that policies were developed on, under the names that they have elsewhere."""


def test_the_list_is_as_it_was_written_down():
    written = "\n".join(f"{t.name} {t.val_size} {t.seeds} {t.batch_size}" for t in TRAININGS)
    assert hashlib.sha256(written.encode()).hexdigest()[:16] == "c2d2ee3212198c6c"


def test_it_is_as_large_and_as_various_as_it_is_said_to_be():
    assert len(TRAININGS) >= 60
    assert len({t.group for t in TRAININGS}) >= 20
    assert len({t.name for t in TRAININGS}) == len(TRAININGS)
    assert {t.recipe for t in TRAININGS} == set(RECIPES)
    assert {t.optimizer for t in TRAININGS} == {"sgd", "adamw"}
    assert {t.model for t in TRAININGS} == {"mlp", "convnet", "residual", "tuned"}
    assert all(50 <= t.train_size <= 500 for t in TRAININGS if t.model == "tuned")


def test_it_leaves_alone_what_must_stay_unseen():
    names = {t.data for t in TRAININGS}
    assert names <= {*DATA, *FASHION}
    assert not names & set(UNTOUCHED)
