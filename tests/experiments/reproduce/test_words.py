import pytest

from overmix.experiments.reproduce.check import Check
from overmix.experiments.reproduce.words import in_words


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (Check("turn", -1.0, (-2.0, 0.0), "below", 0.0, "doublings"), "turn: × 0.50 [0.25 to 1.00] (below 1.00)"),
        (Check("loss", -0.1, (-0.2, 0.05), "below", 0.0), "loss: −0.100 [−0.200 to 0.050] (below 0.000)"),
        (Check("gap", 1.25, None, "below", 4.0, exact=True), "gap: 1.25 (below 4.00)"),
        (Check("depth", 0.03, None, "above", 0.005, "points"), "depth: 3.00 points (above 0.50)"),
    ],
)
def test_a_check_in_words(check, words):
    assert in_words(check) == words
