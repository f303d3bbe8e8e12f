"""The margin of a student on simulated decisions: the bound holds, and bad students get no margin."""

import warnings

import numpy as np
import pytest

from clx.errors import CascadeWarning
from clx.ml.distillation.binomial import fewest, lower_bound, most_wrong
from clx.ml.distillation.choice import Observed, choose, leaves_room
from clx.ml.distillation.risk import fit_risk
from clx_runtime.cascade import Cascade, closest, same_decisions
from clx_runtime.cascade_monitor import Monitor
from clx_runtime.label_set import LabelSet
from clx_runtime.one_label import OneLabel
from clx_runtime.settings import Settings

LABELS = 12


def drawn(generator, count):
    """Return margins, labels, and the chance that the teacher decides otherwise."""
    label = generator.integers(0, LABELS, count)
    margin = generator.beta(2.5, 0.7, count)
    # Each label has its own level, and the curve is not the one that is fitted.
    level = -2 + np.sin(np.arange(LABELS))[label]
    return margin, label, 1 / (1 + np.exp(-level + 0.9 * np.log(margin / (1 - margin + 1e-4))))


def observed(generator, count, teacher=0.0):
    margin, label, chance = drawn(generator, count)
    same = generator.random(count) >= chance
    return Observed(margin, label, same, generator.random(count) >= teacher, LABELS)


BIG = drawn(np.random.default_rng(123), 200_000)


def true_agreement(margins):
    margin, label, chance = BIG
    return 1 - np.where(margin >= margins[label], chance, 0).mean()


@pytest.mark.parametrize("count", [350, 2000])
def test_the_bound_holds_in_at_least_36_of_40_trials(count):
    held = stated = 0
    shares = []
    for trial in range(40):
        generator = np.random.default_rng(trial)
        choice = choose(observed(generator, count), observed(generator, count), 0.99)
        assert choice is not None
        assert choice.bound >= 0.99
        assert choice.bound <= choice.agreement
        held += true_agreement(choice.margins) >= 0.99
        stated += true_agreement(choice.margins) >= choice.bound
        shares.append(choice.share)
    assert held >= 36
    assert stated >= 36
    # A rule that never lets the student answer would hold, too.
    assert np.mean(shares) > (0.2 if count < 1000 else 0.45)


def test_the_second_half_makes_the_margin_stricter_or_refuses():
    generator = np.random.default_rng(0)
    first, second = observed(generator, 2000), observed(generator, 2000)
    easy = choose(first, second, 0.99)
    lost = second.student & (generator.random(2000) >= 0.03)
    harder = Observed(second.margin, second.label, lost, second.teacher, LABELS)
    strict = choose(first, harder, 0.99)
    assert strict.share < easy.share
    assert strict.bound == 0.99 <= strict.agreement
    never = Observed(second.margin, second.label, second.student & False, second.teacher, LABELS)
    # 20 wrong answers of 2,000 are too many, whoever is sure of them.
    assert choose(first, never, 0.99).share < 0.01


def test_wrong_answers_of_the_teachers_backend_count():
    generator = np.random.default_rng(1)
    alone = choose(observed(generator, 2000), observed(generator, 2000), 0.98)
    generator = np.random.default_rng(1)
    int8 = choose(observed(generator, 2000, 0.008), observed(generator, 2000, 0.008), 0.98)
    assert int8.share < alone.share
    assert choose(observed(generator, 2000, 0.2), observed(generator, 2000, 0.2), 0.98) is None


def test_labels_with_enough_texts_have_their_own_margin():
    generator = np.random.default_rng(2)
    margin, label, chance = drawn(generator, 4000)
    label[label > 9] = 9
    label[:5] = 10
    risk = fit_risk(margin, label, generator.random(4000) < chance, 11)
    assert risk.own[:10].all()
    assert not risk.own[10]
    margins = risk.margins(-5.0)
    assert margins[10] == risk.common_margin(-5.0)
    assert len(set(margins.round(6))) == 11
    # A larger margin never has a higher risk, and a lower limit never a smaller margin.
    assert (np.diff(risk.of(np.linspace(0, 1, 99), np.full(99, 3))) < 0).all()
    assert (risk.margins(-6.0) >= margins).all()
    assert np.isinf(risk.margins(-80.0)).all()
    assert (risk.margins(80.0) == 0).all()


def test_clopper_and_pearson():
    # Values of scipy.stats.beta.ppf(0.05, right, wrong + 1).
    for wrong, total, bound in [(0, 299, 0.990031), (5, 1000, 0.989516), (5000, 10000, 0.491727)]:
        assert lower_bound(wrong, total) == pytest.approx(bound, abs=1e-6)
    assert lower_bound(3, 3) == 0
    assert (fewest(0.99), most_wrong(298, 0.99), most_wrong(299, 0.99)) == (299, -1, 0)
    assert lower_bound(most_wrong(5000, 0.99), 5000) >= 0.99
    assert lower_bound(most_wrong(5000, 0.99) + 1, 5000) < 0.99


def test_the_margin_is_that_of_the_table_unless_the_run_abstains():
    scores = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.34, 0.33, 0.33]], dtype=np.float32)
    rule = OneLabel(("a", "b", "c"))
    margin, label = closest(scores, rule)
    assert margin.tolist() == rule.columns(scores)["margin"]
    assert label.tolist() == [0, 1, 0]
    # 0.7 is 0.05 above the limit, 0.5 is 0.15 below it.
    margin, _ = closest(scores, OneLabel(("a", "b", "c"), "str", 0.65))
    assert margin == pytest.approx([0.05, 0.15, 0.31], abs=1e-6)
    many = LabelSet(("a", "b", "c"), "str", (0.5, 0.5, 0.05))
    margin, label = closest(scores, many)
    assert margin.tolist() == many.columns(scores)["margin"]
    assert label.tolist() == [2, 1, 0]
    other = scores + np.array([[0, 0.4, 0], [0, 0, 0], [0, 0, 0]], dtype=np.float32)
    assert same_decisions(scores, other, many).tolist() == [False, True, True]
    assert same_decisions(scores, other, rule).tolist() == [True, True, True]


# ---- The monitor -------------------------------------------------------------------------------------


def monitor(share=1.0):
    settings = Settings([], {}, "right", None, ["a", "b"], None, None, {})
    margins = {"a": 0.1, "b": 0.1}
    return Monitor(Cascade("torch", settings, "softmax", margins, 0.99, 0.8, share))


def warned(differing, seed, count=4000):
    """Return whether a monitor warns whose checked answers differ with this chance."""
    generator, watch = np.random.default_rng(seed), monitor()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for _ in range(count // 50):
            equal = (generator.random(50) >= differing).tolist()
            watch.add(63, 50, equal)
    assert len(found) <= 1
    assert all(issubclass(each.category, CascadeWarning) for each in found)
    return bool(found)


def test_the_monitor_warns_when_agreement_falls_and_rarely_otherwise():
    # 1 % of all decisions are 1.26 % of the student's, who answers 50 of 63 texts.
    assert sum(warned(0.0125, seed) for seed in range(40)) <= 4
    assert sum(warned(0.03, seed) for seed in range(10)) >= 9
    assert not warned(0.0, 0)


def test_the_monitor_checks_a_share_of_the_texts_and_always_the_same_ones():
    texts = [f"text {n}" for n in range(5000)]
    chosen = monitor(0.1).chosen(texts)
    assert 400 < len(chosen) < 600
    assert chosen == monitor(0.1).chosen(texts)
    assert monitor(0.0).chosen(texts) == []
    assert [texts[n] for n in chosen] == [t for t in texts if monitor(0.1).chosen([t])]


@pytest.mark.parametrize(
    ("wrong", "count", "expected"),
    [(0, 299, True), (1, 299, False), (1, 998, True), (4, 998, False), (60, 10_000, True)],
)
def test_a_teacher_that_just_reaches_the_agreement_leaves_no_room(wrong, count, expected):
    texts = observed(np.random.default_rng(0), count)
    texts.teacher[:wrong] = False
    assert leaves_room(texts, 0.99) is expected


def test_a_teacher_without_room_often_fails_on_other_texts():
    # Both reach an agreement of 99 % on 998 texts.
    assert most_wrong(998, 0.99) == 4
    failed = {}
    for wrong in (1, 4):
        failed[wrong] = 0
        for trial in range(40):
            generator = np.random.default_rng(trial)
            first, second = observed(generator, 998), observed(generator, 944, wrong / 998)
            choice = choose(first, second, 0.99)
            failed[wrong] += choice is None or choice.share < 0.05
    assert failed[1] < 5
    assert failed[4] > 10
