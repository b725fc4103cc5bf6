import itertools

import numpy as np
import pytest

from eval.bleu import bleu_of, bleu_statistics
from eval.bootstrap import Interval, bootstrap_columns, bootstrap_mean, bootstrap_sums, draw_counts, p_value
from eval.holm import holm
from tests.eval.generated_texts import pairs

TRIALS = 4000


def coverage(data, truth):
    """Share of the columns of ``data`` (n, trials) whose interval holds ``truth``."""
    found = bootstrap_columns(data, resamples=1000, seed=5)
    return np.mean([i.low <= truth <= i.high for i in found])


def zero_inflated(rng, shape):
    """Like ROUGE-2: a third of the answers shares nothing, the others are skewed to the low side. Mean .2 * 2/3."""
    return np.where(rng.random(shape) < 1 / 3, 0.0, rng.beta(1, 4, shape))


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng, shape: rng.normal(0.3, 1.0, shape), 0.3),
        (zero_inflated, 0.2 * 2 / 3),
        (lambda rng, shape: (rng.random(shape) < 0.2).astype(float), 0.2),
        (lambda rng, shape: zero_inflated(rng, shape) - zero_inflated(rng, shape) + 0.05, 0.05),  # a paired difference
    ],
    ids=["normal", "zero-inflated", "yes or no", "difference"],
)
def test_the_95_percent_interval_covers_93_to_97_percent(draw, truth):
    data = draw(np.random.default_rng(1), (200, TRIALS))
    assert 0.93 <= coverage(data, truth) <= 0.97


def test_the_interval_of_an_interaction_covers_its_truth():
    rng = np.random.default_rng(2)
    hard = rng.normal(0, 0.3, (200, TRIALS))  # what makes a question hard for every system cancels
    systems = [hard + mean + rng.normal(0, 0.1, (200, TRIALS)) for mean in (0.2, 0.3, 0.5, 0.65)]
    plain, tuned, plain_rag, tuned_rag = systems
    interaction = (tuned_rag - plain_rag) - (tuned - plain)
    assert 0.93 <= coverage(interaction, 0.05) <= 0.97
    widths = [i.high - i.low for i in bootstrap_columns(np.stack([interaction[:, 0], hard[:, 0]], axis=1), 500, 0)]
    assert widths[0] < widths[1]  # paired, the noise of the questions is gone


def test_same_seed_same_interval_and_constant_data_has_no_width():
    values = [0.1, 0.5, 0.9, 0.2]
    assert bootstrap_mean(values, 500, 7) == bootstrap_mean(values, 500, 7)
    assert bootstrap_mean(values, 500, 7) != bootstrap_mean(values, 500, 8)
    constant = bootstrap_mean([0.25] * 10, 100, 0)
    assert (constant.low, constant.mean, constant.high) == (0.25, 0.25, 0.25)


def test_clear_difference_excludes_zero_and_noise_does_not():
    assert bootstrap_mean([0.2, 0.3, 0.25, 0.3, 0.2], 500, 0).excludes_zero
    assert not bootstrap_mean([0.5, -0.5, 0.4, -0.4], 500, 0).excludes_zero


def test_no_values_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_mean([], 100, 0)
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_sums(np.zeros((0, 3)), lambda s: s[..., 0], 100, 0)


def test_resamples_are_as_many_draws_as_questions_whatever_the_block():
    blocks = list(draw_counts(300, 5000, 3))
    assert len(blocks) > 1
    counts = np.concatenate(blocks)
    assert counts.shape == (5000, 300)
    assert (counts.sum(axis=1) == 300).all()
    assert counts.mean() == 1.0
    assert counts.var() == pytest.approx(1 - 1 / 300, rel=0.01)  # binomial(n, 1/n)


def test_every_resample_of_three_questions_is_as_frequent_as_it_should_be():
    """Against all 27 resamples of three values, listed."""
    values = [0.0, 1.0, 5.0]
    means = sorted(np.mean(r) for r in itertools.product(values, repeat=3))
    found = bootstrap_mean(values, 40_000, 0)
    assert (found.low, found.high) == (means[0], means[-1])  # 1 of 27 is more than 2.5 %
    sums = np.concatenate(list(draw_counts(3, 40_000, 0))) @ np.array(values)
    for total in set(np.round(3 * np.array(means), 6)):
        exact = np.mean([abs(3 * m - total) < 1e-9 for m in means])
        assert np.mean(np.abs(sums - total) < 1e-9) == pytest.approx(exact, abs=0.01)


def test_columns_with_gaps_are_means_over_what_is_there():
    data = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan], [5.0, 4.0, np.nan]])
    first, second, none = bootstrap_columns(data, 2000, 0)
    assert first.mean == 3.0
    assert (second.mean, second.low, second.high) == (3.0, 2.0, 4.0)
    assert none is None
    alone = bootstrap_mean([1.0, 3.0, 5.0], 2000, 0)
    assert (first.low, first.high) == (alone.low, alone.high)  # the same draws for every column


def test_bleu_is_resampled_as_if_each_resample_were_scored_anew():
    statistics = bleu_statistics(*pairs(60))
    found = bootstrap_sums(statistics, lambda s: bleu_of(s, "exp"), 300, 4)
    counts = np.concatenate(list(draw_counts(60, 300, 4))).astype(int)
    again = [float(bleu_of(np.repeat(statistics, c, axis=0).sum(axis=0), "exp")) for c in counts]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(again, [0.025, 0.975])))
    assert found.mean == pytest.approx(float(bleu_of(statistics.sum(axis=0), "exp")))


def test_p_is_below_005_exactly_where_the_interval_excludes_zero():
    rng = np.random.default_rng(0)
    for shift in np.linspace(-0.4, 0.4, 41):
        found = bootstrap_mean((rng.normal(shift, 1, 60)).tolist(), 3999, 1)
        assert (found.p < 0.05) == found.excludes_zero
    assert p_value(np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / 4)
    assert p_value(np.zeros(9)) == 1.0


def test_holm_worked_by_hand():
    # In order: .005 * 4, .01 * 3, max(.03, .03 * 2), max(.06, .04 * 1)
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_makes_a_false_claim_in_at_most_5_percent_of_tables():
    rng = np.random.default_rng(0)
    tables = rng.random((4000, 8))  # eight true null hypotheses
    wrong = np.mean([min(holm(row)) < 0.05 for row in tables.tolist()])
    assert wrong == pytest.approx(0.05, abs=0.012)  # four standard errors
    assert np.mean(tables.min(axis=1) < 0.05) > 0.3  # and uncorrected in a third


def test_interval_of_zero_width_at_zero_excludes_nothing():
    assert not Interval(0.0, 0.0, 0.0).excludes_zero
