"""What the pages say of the frozen benchmark follows from its numbers, however many of its trainings are recorded."""

import numpy as np
import pytest

from overmix.experiments.switch_benchmark.frozen.candidates import FIRST, SECOND
from overmix.experiments.switch_benchmark.frozen.contenders import BEST_LOOK, Ended
from overmix.experiments.switch_benchmark.frozen.endpoints import PRIMARY, compared, judge, summary, verdict
from tools.switch_benchmark.frozen import _SHORT, answer, free, page, watched


def result_of(gains, first=0.0):
    """Return a result in which AutoSwitch is better than all others by so much, on as many data sets as there are.

    Its first generation is better still by ``first``.
    """
    judged = []
    for number, gain in enumerate(gains):
        ended = {name: Ended(np.array([0.2, 0.2]), np.ones(2)) for name in _SHORT}
        ended[SECOND] = Ended(np.array([0.2, 0.2]) - gain, np.full(2, 1.3), np.array([8, 8]))
        ended[FIRST] = Ended(np.array([0.2, 0.2]) - gain - first, np.full(2, 1.25), np.array([8, 8]))
        ended[PRIMARY] = Ended(np.array([0.2, 0.2]), np.full(2, 1.3))
        finals = np.array([[0.2, 0.2], [0.21, 0.21]])
        judged.append(judge(f"toy{number}", f"set {number}", 300, "mlp", ended, finals))
    primary = compared(judged, PRIMARY)
    primary |= {"verdict": verdict(primary), "trainings": len(judged), "data_sets": len(judged)}
    return {
        "trainings": 63,
        "data_sets": 28,
        "recorded": len(judged),
        "recorded_data_sets": len(judged),
        "primary": primary,
        "primary_without_fashion_mnist": primary,
        "contenders": [summary(judged, who) for who in _SHORT],
        "shipped": {rival: compared(judged, rival, FIRST) for rival in _SHORT},
        "watched": {rival: compared(judged, FIRST, SECOND) for rival in (FIRST, PRIMARY, BEST_LOOK)},
        "rows": [vars(one) for one in judged],
    }


@pytest.mark.parametrize(
    ("gain", "says"),
    [
        (0.02, "**It is worth its price**. `AutoSwitch()` ends 2.00 points of error below [2.00 to 2.00] "),
        (-0.02, "the free schedule is better**. `AutoSwitch()` ends 2.00 points of error above [2.00 to 2.00] "),
        (0.001, "**It is worth its price**"),
    ],
)
def test_the_answer_says_which_side_is_lower(gain, says):
    text = answer(result_of([gain] * 12))
    assert text.lstrip().startswith("On 12 of the 63 trainings (12 of 28 data sets)")
    assert says in text


def test_a_free_schedule_that_is_as_good_is_called_so():
    text = answer(result_of([0.003, -0.003] * 6))
    assert "the free schedule is as good**" in text


def test_a_few_data_sets_say_nothing_and_none_are_no_error():
    few = answer(result_of([0.02] * 9))
    assert few.lstrip().startswith("Open. ")
    assert "9 of the 63 trainings (9 of 28 data sets), too few" in few
    assert "better" not in page(result_of([0.02] * 9)).split("## All contenders")[1]
    nothing = {"trainings": 63, "data_sets": 28, "recorded": 0, "recorded_data_sets": 0}
    assert "None of the 63 trainings" in page(nothing)


@pytest.mark.parametrize(
    ("gains", "says"),
    [
        (
            [0.02] * 12,
            "is better: it ends\n  2.00 points of error below [2.00 to 2.00] off at half in a "
            "training 1.3 times as long",
        ),
        (
            [-0.02] * 12,
            "is worse: it ends\n  2.00 points of error above [2.00 to 2.00] off at half in a "
            "training 1.3 times as long",
        ),
        ([0.003, -0.003] * 6, "more, is no better: "),
        ([0.04, -0.04] * 6, "more, is not shown to be better: "),
        ([0.02] * 9, "is being measured."),
    ],
)
def test_readme_says_whether_the_free_switch_is_as_good(gains, says):
    assert says in free(result_of(gains))


def test_readme_names_the_rivals_that_end_lower_for_no_more():
    text = free(result_of([-0.02] * 12))
    assert "“off at 75 %” by 2.00 [2.00 to 2.00]" in text
    assert SECOND not in text
    assert "end below it" not in free(result_of([0.02] * 12))


def test_what_a_user_gets_is_what_is_compared_and_not_the_second_generation():
    result = result_of([0.0] * 12, first=0.02)
    assert "which costs 25\u00a0% more, is better: it ends\n  2.00 points" in free(result)
    assert "`AutoSwitch()` ends 2.00 points of error below [2.00 to 2.00]" in answer(result)
    assert "| **`AutoSwitch()`** |  |" in answer(result)
    assert "| its second generation, not in the package | 2.00 [2.00 to 2.00], better |" in answer(result)


def test_the_generations_are_compared():
    better, worse = result_of([0.02, 0.03] * 6, first=-0.02), result_of([0.02] * 12, first=0.001)
    assert "below [2.00 to 2.00] `AutoSwitch()`, which is reason to change it." in answer(better)
    assert "which is no reason to change it" in answer(worse)


def test_the_best_look_since_the_switch_is_said_to_be_a_hint():
    said = watched(result_of([0.02] * 12, first=-0.02))
    assert "it ends 2.00 points of error below [2.00 to 2.00] `AutoSwitch()` (better), " in said
    assert "a hint, which a test has to confirm" in said
    assert watched(result_of([0.02] * 9)) == "Whether that gains is not known yet."
