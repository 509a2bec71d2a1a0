import json
from dataclasses import replace

import pytest
from scipy import special
from tests.diagnose.advice.situations import Study, pairs_of

from overmix.diagnose import Comparison, advise
from overmix.diagnose.advice.best_set import may_be_best
from overmix.diagnose.advice.seeds import seeds_to_tell
from overmix.diagnose.evidence import Compared

DEMO = Study(erm=7.2, mixup=9.5, off={128: 6.0}, turns={"Mixup": 80})


def test_the_record_of_a_switch_and_what_it_pays_for_being_chosen_on_the_test_errors():
    advice = DEMO.advice()
    assert (advice.kind, advice.condition, advice.switch_epoch) == ("switch", "@128", 128)
    assert (advice.gain_of, advice.gain_over_erm) == ("@128", pytest.approx(0.012))
    wide = 0.003 * special.ndtri(1 - 0.025 / 2) / special.ndtri(1 - 0.025)
    assert advice.gain_ci == pytest.approx((0.012 - wide, 0.012 + wide))
    assert (advice.chosen_on, advice.candidates) == ("test", 2)
    assert (advice.safe, advice.turning) == ((128, 128), (60, 120))
    assert (advice.mix.value, advice.mix.interval) == (advice.gain_over_erm, advice.gain_ci)


def test_held_out_samples_choose_and_nothing_is_paid():
    held_out = {"ERM": 7.2, "Mixup": 9.5, "@128": 6.3, "@256": 6.2}
    advice = replace(DEMO, off={128: 5.9, 256: 6.0}, held_out=held_out).advice()
    assert (advice.condition, advice.chosen_on) == ("@256", "validation")
    assert advice.gain_ci == pytest.approx((0.009, 0.015))
    held_out.pop("@128")  # one without: the test errors choose
    assert replace(DEMO, off={128: 5.9, 256: 6.0}, held_out=held_out).advice().condition == "@128"


def test_a_switch_is_read_beside_the_curve_of_its_own_recipe():
    evidence = replace(DEMO, off={128: 5.0, 256: 7.0}).evidence()
    cutmix = [
        replace(e, name=f"CutMix {e.name}", recipe="CutMix", family="cutmix")
        for e in Study(mixup=6.4, off={32: 6.0}, turns={"Mixup": 300}).evidence()
    ]
    advice = advise([*evidence, *cutmix], pairs_of([*evidence, *cutmix], 0.3))
    assert (advice.condition, advice.turning) == ("@128", (60, 120))
    assert advice.safe == (128, 128)  # not 32, which is another recipe's
    assert "by Mixup" in advice.mix.sentence


def test_the_order_of_a_pair_does_not_matter():
    evidence = DEMO.evidence()
    pairs = pairs_of(evidence, 0.3)
    assert advise(evidence, pairs) == advise(evidence, {(b, a): c.swapped() for (a, b), c in pairs.items()})


def test_it_is_plain_json():
    plain = DEMO.advice().to_dict()
    assert json.loads(json.dumps(plain)) == plain


def test_diverged_conditions_are_left_out():
    *alive, last = DEMO.evidence()
    advice = advise([*alive, replace(last, diagnosis=None)], pairs_of(DEMO.evidence(), 0.3))
    assert advice.until.answer == "turn"


def test_better_alternatives_are_corrected_for_their_number():
    # One alternative ends 0.6 points lower, p = 0.02; beside nine others that is no news.
    one = replace(DEMO, other={"decay": 5.4}, within=0.5)
    many = replace(one, other=one.other | {f"other {i}": 6.1 for i in range(9)})
    assert one.advice().next.sentence.startswith("Use decay")
    assert many.advice().next.answer == "use"


def test_an_alternative_is_named_with_its_price():
    *evidence, decay = replace(DEMO, other={"decay": 6.0}).evidence()
    evidence = [*(replace(e, steps=1000.0) for e in evidence), replace(decay, steps=2000.0)]
    advice = advise(evidence, pairs_of(evidence, 0.3))
    assert advice.note.endswith("Shown to be as good, within 0.5 points: decay (2 × the steps).")


def test_the_set_leaves_out_what_is_shown_worse_and_nothing_else():
    """By hand, for 16 equally exact pairs: worse if the distance exceeds t(1 - 0.05 / 3) standard errors."""
    study = Study(mixup=6.0, off={1: 5.0, 2: 5.1, 3: 5.3}, within=0.196)  # the standard error is 0.1
    forms = study.evidence()
    kept = may_be_best(Compared(forms, pairs_of(forms, study.within)), forms)
    reach = 0.1 * special.ndtri(1 - 0.05 / 3)
    assert 0.2 < reach < 0.3
    assert [e.name for e in kept] == ["@1", "@2"]


def test_more_seeds_are_those_that_narrow_the_interval_of_what_is_called_shown():
    difference = Comparison(-0.01, (-0.02, 0.0), 0.05, 16)
    more = seeds_to_tell(difference, 0.005)
    se = 0.01 / special.ndtri(0.975) * (16 / (16 + more)) ** 0.5
    power = special.ndtr(0.01 / se - special.ndtri(1 - 0.0294 / 2))
    assert 0.8 <= power < 0.83
    assert seeds_to_tell(replace(difference, seed_share=0.2), 0.005) is None


def test_a_tie_on_held_out_samples_is_said_and_so_is_a_range_that_reaches_the_end():
    held_out = {"ERM": 7.2, "Mixup": 6.0, "@128": 100 * (0.1 + 0.2) / 5}  # 6 but for rounding, which is above
    advice = Study(erm=7.2, mixup=6.3, off={128: 6.0, 256: 6.5}, held_out=held_out | {"@256": 6.5}, within=0.4).advice()
    assert advice.note.startswith(
        "Mixup and @128 tie for the lowest held-out error of 3 conditions that mix, averaged over seeds: named is "
        "@128, which has the lower test error; Mixup, which needs no switch, does as well on held-out samples."
    )
    assert advice.until.strength == "likely"
    assert (
        "Off at about 128, likely, but not switching is not ruled out (128 to the end may be" in advice.until.sentence
    )
    alone = replace(DEMO, held_out={"ERM": 7.2, "Mixup": 9.5, "@128": 6.3}).advice()
    assert alone.note.startswith("@128 has the lowest held-out error of 2 conditions")
    assert "not ruled out" not in alone.until.sentence
