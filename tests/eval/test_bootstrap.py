import numpy as np
import pytest

from eval.bootstrap import bootstrap_mean


def test_interval_covers_the_true_mean_about_95_times_in_100():
    rng = np.random.default_rng(1)
    inside = 0
    for trial in range(300):
        sample = rng.normal(0.3, 1.0, size=80).tolist()
        interval = bootstrap_mean(sample, resamples=400, seed=trial)
        inside += interval.low <= 0.3 <= interval.high
    assert (
        0.90 <= inside / 300 <= 0.98
    )  # three standard errors of 300 trials around .95, the bootstrap being a little short


def test_same_seed_same_interval_and_constant_data_has_no_width():
    values = [0.1, 0.5, 0.9, 0.2]
    assert bootstrap_mean(values, 500, 7) == bootstrap_mean(values, 500, 7)
    constant = bootstrap_mean([0.25] * 10, 100, 0)
    assert (constant.low, constant.mean, constant.high) == (0.25, 0.25, 0.25)


def test_clear_difference_excludes_zero_and_noise_does_not():
    assert bootstrap_mean([0.2, 0.3, 0.25, 0.3, 0.2], 500, 0).excludes_zero
    assert not bootstrap_mean([0.5, -0.5, 0.4, -0.4], 500, 0).excludes_zero


def test_no_values_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_mean([], 100, 0)
