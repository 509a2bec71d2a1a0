import json
from dataclasses import replace

import pytest
from scipy import special

from overmix.diagnose import Comparison, Diagnosis, Evidence, advise

N = 16


def diagnosis(final, verdict="monotone", turning=900):
    ci = (turning * 0.7, turning * 1.4) if verdict == "u-shaped" else None
    return Diagnosis(
        verdict=verdict,
        turning_epoch=turning,
        turning_epoch_ci=ci,
        best=final,
        final=final,
        depth=0.0,
        depth_ci=None,
        delta=0.005,
        n_seeds=N,
        n_epochs=60,
    )


def erm(final=0.072):
    return Evidence("ERM", "erm", None, diagnosis(final))


def mixup(final=0.095, verdict="u-shaped", turning=80):
    return Evidence("Mixup", "mixup", None, diagnosis(final, verdict, turning))


def switched(final, epoch=128):
    return Evidence(f"@{epoch}", "switched", epoch, diagnosis(final))


def compared(evidence, half_width=0.003):
    """All pairwise differences, as precise as asked."""
    out = {}
    for i, b in enumerate(evidence):
        for a in evidence[i + 1 :]:
            d = a.diagnosis.final - b.diagnosis.final
            p = 2 * float(special.ndtr(-abs(d) / (half_width / 1.96)))
            out[a.name, b.name] = Comparison(d, (d - half_width, d + half_width), p, N)
    return out


def advice(*evidence, half_width=0.003):
    return advise(list(evidence), compared(evidence, half_width))


def test_a_switch_that_beats_both_is_recommended_with_its_gain():
    found = advice(erm(), mixup(), switched(0.060))
    assert (found.kind, found.condition, found.switch_epoch) == ("switch", "@128", 128)
    assert found.gain_over_erm == pytest.approx(0.012)
    assert found.gain_of == "@128"
    # The best of two, seen on the test set: its interval is wider than the plain one, 0.012 ± 0.003.
    wide = 0.003 * special.ndtri(1 - 0.025 / 2) / special.ndtri(1 - 0.025)
    assert found.gain_ci == pytest.approx((0.012 - wide, 0.012 + wide))
    assert (found.chosen_on, found.candidates) == ("test", 2)
    assert found.note.startswith("@128 was chosen among 2 conditions that mix, by their test errors")
    assert "widened" in found.note
    assert found.safe is None
    assert found.turning == pytest.approx((56, 112))
    assert "over-trains" in found.sentence
    assert "128" in found.sentence


def test_the_safe_range_is_the_tested_switches_around_the_best_within_delta():
    tested = [
        switched(0.071, 16),
        switched(0.063, 64),
        switched(0.060, 128),
        switched(0.0625, 256),
        switched(0.070, 512),
    ]
    found = advice(erm(), mixup(), *tested, half_width=0.0015)
    assert found.safe == (64, 256)
    assert "safe 64–256" in found.sentence


def test_a_good_switch_beyond_a_bad_one_is_not_in_the_safe_range():
    found = advice(erm(), mixup(), switched(0.061, 16), switched(0.070, 64), switched(0.060, 128))
    assert found.safe == (128, 128)
    assert "no other is shown to be as good" in found.sentence


def test_a_switch_that_may_be_worse_by_what_matters_is_not_called_safe():
    near = [switched(0.061, 64), switched(0.060, 128)]
    assert advice(erm(0.08), mixup(), *near, half_width=0.003).safe == (64, 128)
    assert advice(erm(0.08), mixup(), *near, half_width=0.0045).safe == (128, 128)


def test_a_gain_that_many_switches_were_tried_for_has_to_be_surer():
    one, many = [switched(0.060)], [switched(0.060), *(switched(0.066, e) for e in range(200, 209))]
    assert advice(erm(0.068), mixup(), *one, half_width=0.0065).kind == "switch"
    found = advice(erm(0.068), mixup(), *many, half_width=0.0065)
    assert found.kind == "undecided"
    assert found.gain_ci[0] < 0 < 0.008 - 0.0065  # the plain interval excludes 0
    assert (found.candidates, found.gain_of) == (11, "@128")


def held_out(e, error):
    return replace(e, validation_error=error)


def test_where_samples_are_held_out_the_test_errors_choose_nothing():
    few = [held_out(mixup(), 0.09), held_out(switched(0.060, 128), 0.070), held_out(switched(0.058, 256), 0.071)]
    found = advice(erm(), *few)
    assert (found.kind, found.switch_epoch, found.chosen_on, found.candidates) == ("switch", 128, "validation", 3)
    assert found.gain_ci == pytest.approx((0.009, 0.015))  # nothing to pay for
    assert "held-out samples" in found.note


def test_one_condition_without_held_out_samples_and_test_errors_choose():
    found = advice(erm(), held_out(mixup(), 0.09), held_out(switched(0.060, 128), 0.070), switched(0.058, 256))
    assert (found.switch_epoch, found.chosen_on) == (256, "test")


def test_a_switch_is_read_beside_the_curve_of_its_own_recipe():
    cutmix = replace(mixup(0.064, "u-shaped", 300), name="CutMix", recipe="CutMix", family="cutmix")
    other_switches = [
        replace(switched(f, e), name=f"CutMix @{e}", family="cutmix") for f, e in ((0.061, 64), (0.0605, 32))
    ]
    found = advice(erm(0.08), mixup(), switched(0.056, 128), cutmix, *other_switches)
    assert (found.kind, found.condition) == ("switch", "@128")
    assert found.turning == pytest.approx((56, 112))  # Mixup's, although CutMix ends lower
    assert found.safe is None  # one switch of Mixup: the others are of another recipe
    assert found.sentence.startswith("Mixup over-trains: switch it off at epoch 128")


def test_a_switch_need_not_beat_mixing_by_another_recipe():
    cutmix = replace(mixup(0.0615, "monotone"), name="CutMix", recipe="CutMix", family="cutmix")
    assert advice(erm(0.08), mixup(), switched(0.060), cutmix).condition == "@128"


def auto(final, family=""):
    return Evidence("auto", "auto", None, diagnosis(final), family=family, decided=(90, 140))


def test_a_condition_that_decides_by_itself_is_recommended_where_no_set_switch_was_tested():
    found = advice(erm(), mixup(), auto(0.060))
    assert (found.kind, found.condition, found.switch_epoch) == ("switch", "auto", None)
    assert found.sentence == "Mixup over-trains: switch it off by itself (AutoSwitch; here at epoch 90–140)."


def test_beside_a_set_switch_it_is_an_alternative():
    found = advice(erm(), mixup(), switched(0.060), auto(0.0601))
    assert (found.condition, found.candidates) == ("@128", 2)
    assert "Shown to be as good, within 0.5 points: auto." in found.note


@pytest.mark.parametrize("names", [["decay"], ["decay", "average"]])
def test_alternatives_that_do_as_well_are_named_with_their_price(names):
    others = [Evidence(name, "other", None, diagnosis(0.0601), steps=2000.0) for name in names]
    found = advice(erm(), mixup(), replace(switched(0.060), steps=1000.0), *others)
    assert f"Shown to be as good, within 0.5 points: {', '.join(f'{n} (2 × the steps)' for n in names)}." in found.note
    assert "But" not in found.sentence


def test_alternatives_are_corrected_for_their_number():
    # One alternative ends 0.6 points lower, p = 0.03; beside nine others that is no news.
    decay = Evidence("decay", "other", None, diagnosis(0.054))
    rest = [Evidence(f"other {i}", "other", None, diagnosis(0.061)) for i in range(9)]
    assert "But decay" in advice(erm(0.09), mixup(), switched(0.060), decay, half_width=0.0054).sentence
    assert "But" not in advice(erm(0.09), mixup(), switched(0.060), decay, *rest, half_width=0.0054).sentence


def test_mixup_that_gains_nothing_in_any_form_is_advised_against():
    found = advice(erm(0.213), mixup(0.243), switched(0.2135))
    assert found.kind == "no-mixup"
    assert (found.condition, found.gain_of) == ("ERM", "@128")
    assert found.gain_over_erm == pytest.approx(-0.0005)
    assert found.gain_ci == pytest.approx((-0.0035, 0.0025))
    assert found.note == ""


def test_mixup_is_not_dismissed_while_one_of_its_forms_may_gain():
    # The best of the forms gains nothing for sure, another one is not known well.
    evidence = [erm(0.0701), mixup(), switched(0.070), switched(0.0702, 256)]
    pairs = compared(evidence, 0.002)
    assert advise(evidence, pairs).kind == "no-mixup"
    wide = pairs["@256", "ERM"]
    pairs["@256", "ERM"] = replace(wide, ci=(wide.difference - 0.02, wide.difference + 0.02), p_value=0.99)
    assert advise(evidence, pairs).kind == "undecided"


def test_a_gain_that_may_be_large_or_nothing_is_undecided_and_says_how_many_seeds():
    found = advice(erm(0.072), mixup(), switched(0.066), half_width=0.008)
    assert found.kind == "undecided"
    # 16 seeds give half a width of 0.008, as the best of two 0.00915; 16 (0.00915 / 0.006)^2 = 37.2 would exclude 0.
    assert "about 22 more seeds" in found.sentence


def test_a_hopeless_comparison_promises_nothing():
    found = advice(erm(0.072), mixup(0.0675, "monotone"), half_width=0.01)
    assert found.kind == "undecided"
    assert "hardly" in found.sentence


def test_more_seeds_do_not_help_against_a_small_test_set():
    evidence = [erm(0.072), mixup(), switched(0.066)]
    pairs = {names: replace(c, seed_share=0.2) for names, c in compared(evidence, 0.008).items()}
    found = advise(evidence, pairs)
    assert found.sentence == "Undecided whether Mixup helps: more seeds would hardly tell, more test samples might."
    # Where the test set brings a part only, it is left out of what falls: 16 * 0.7 * 0.00915^2 / (0.006^2 - 0.3 * ...).
    pairs = {names: replace(c, seed_share=0.7) for names, c in compared(evidence, 0.008).items()}
    assert "about 71 more seeds" in advise(evidence, pairs).sentence


def test_seeds_that_would_show_that_there_is_no_gain():
    found = advice(erm(0.072), mixup(0.0719, "monotone"), half_width=0.008)
    # To exclude delta, 0.005, from 0.0001 on: 16 (0.008 / 0.0049)^2 = 42.6.
    assert "about 27 more seeds" in found.sentence


@pytest.mark.parametrize(
    ("verdict", "words"), [("monotone", "does not over-train"), ("undecided", "whether it over-trains is undecided")]
)
def test_mixup_that_helps_to_the_end_is_kept(verdict, words):
    found = advice(erm(0.08), mixup(0.06, verdict), switched(0.066))
    assert found.kind == "keep-mixup"
    assert words in found.sentence


def test_mixup_is_kept_where_no_switch_beats_it_by_what_matters():
    found = advice(erm(0.08), mixup(0.0602, "monotone"), switched(0.060))
    assert found.kind == "keep-mixup"


def test_whether_to_switch_is_undecided_where_the_switch_may_matter():
    found = advice(erm(0.08), mixup(0.066, "undecided"), switched(0.060), half_width=0.007)
    assert found.kind == "undecided"
    assert "switch" in found.sentence


def test_an_untested_switch_is_called_untested():
    found = advice(erm(0.08), mixup(0.07))
    assert (found.kind, found.switch_epoch) == ("switch", 80)
    assert "no switch was tested" in found.sentence


def test_without_erm_the_turn_is_reported_but_no_gain():
    found = advice(mixup(0.09))
    assert found.kind == "switch"
    assert found.gain_over_erm is None
    assert "not tested" in found.sentence


def test_without_erm_and_without_a_turn_nothing_is_decided():
    assert advice(mixup(0.09, "monotone")).kind == "undecided"


def test_a_switch_below_mixup_alone_is_enough_where_erm_was_not_trained():
    assert advice(mixup(0.09), switched(0.06)).kind == "switch"


def test_nothing_that_mixes_is_undecided():
    assert advice(erm()).kind == "undecided"
    assert advise([], {}).kind == "undecided"


def test_diverged_conditions_are_left_out():
    dead = Evidence("@64", "switched", 64, None)
    assert advise([erm(), dead], {}).kind == "undecided"


@pytest.mark.parametrize("n_seeds", [1, 4])
def test_fewer_than_five_seeds_are_never_enough(n_seeds):
    evidence = [erm(), mixup(), switched(0.060)]
    few = [replace(e, diagnosis=replace(e.diagnosis, n_seeds=n_seeds)) for e in evidence]
    found = advise(few, compared(few))
    assert found.kind == "undecided"
    assert f"({n_seeds})" in found.sentence
    assert "five" in found.sentence or "5" in found.sentence


def test_the_order_of_a_pair_does_not_matter():
    evidence = [erm(), mixup(), switched(0.060)]
    pairs = compared(evidence)
    turned = {(b, a): Comparison(-c.difference, (-c.ci[1], -c.ci[0]), c.p_value, c.n) for (a, b), c in pairs.items()}
    assert advise(evidence, pairs) == advise(evidence, turned)


def test_it_is_plain_json():
    plain = advice(erm(), mixup(), switched(0.060)).to_dict()
    assert json.loads(json.dumps(plain)) == plain


def test_mixup_that_over_trains_below_erm_is_not_dismissed_before_a_switch_was_tested():
    found = advice(erm(0.075), mixup(0.095))
    assert (found.kind, found.switch_epoch) == ("switch", 80)
    assert "does not beat ERM" in found.sentence


def test_the_best_of_several_mixups_is_judged():
    weak = Evidence("Mixup 0.1", "mixup", None, diagnosis(0.095))
    strong = Evidence("Mixup 1", "mixup", None, diagnosis(0.050))
    found = advice(erm(0.10), weak, strong)
    assert (found.kind, found.condition) == ("keep-mixup", "Mixup 1")


def test_a_gain_that_does_not_matter_is_no_reason_to_switch():
    found = advice(erm(0.072), mixup(0.0721, "monotone"), switched(0.071), half_width=0.0008)
    assert found.kind == "no-mixup"


def test_something_else_that_is_better_still_is_named():
    decay = Evidence("decay", "other", None, diagnosis(0.030))
    found = advice(erm(), mixup(), switched(0.060), decay)
    assert found.kind == "switch"
    assert "But decay ends 3 points lower still" in found.sentence


def test_sizes_are_in_the_unit_of_the_errors():
    def of_values(e):
        return replace(e, diagnosis=replace(e.diagnosis, unit="value"))

    decay = Evidence("decay", "other", None, diagnosis(0.030))
    told = advice(*map(of_values, (erm(), mixup(), switched(0.060), decay)))
    assert "But decay ends 0.03 lower still" in told.sentence
    one_point = replace(decay, diagnosis=diagnosis(0.050))
    assert "But decay ends 1 point lower still" in advice(erm(), mixup(), switched(0.060), one_point).sentence
