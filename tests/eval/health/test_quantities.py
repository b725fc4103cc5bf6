import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.health.agreement import f1
from eval.health.quantities import Quantity, numbers, quantities


def q(amount, unit):
    return Quantity(float(amount), unit)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Take 500 mg twice.", {q(500, "mg")}),
        ("Take 0.5 g.", {q(500, "mg")}),
        ("1,000 micrograms", {q(1, "mg")}),
        ("a 20-mg tablet", {q(20, "mg")}),
        ("2 to 4 weeks", {q(2 * 604_800, "s"), q(4 * 604_800, "s")}),
        ("24–48 hours", {q(86_400, "s"), q(172_800, "s")}),
        ("2 days", {q(172_800, "s")}),
        ("within two years", {q(24, "month")}),
        ("10 mg/kg", {q(1e-5, "mg/mg")}),
        ("10 mg per kg of weight", {q(1e-5, "mg/mg")}),
        ("126 mg/dL", {q(1.26, "mg/ml")}),
        ("140 mmHg", {q(140, "mmHg")}),
        ("about 5% or 5 percent", {q(5, "%")}),
        ("38 °C", {q(38, "°C")}),
        ("100.4 degrees F", {q(100.4, "°F")}),
        ("5 µg and 5 μg", {q(0.005, "mg")}),
        ("400 IU of vitamin D", {q(400, "IU")}),
        ("1.5 liters", {q(1500, "ml")}),
        ("two tablets, three times a day", {q(2, "tablet"), q(3, "time")}),
        ("chapter 3, type 2 diabetes, B12", set()),
        ("5 males", set()),  # no metres
        ("one of these", set()),
        ("as in [5] mg", set()),  # a marker is no number
        ("", set()),
    ],
)
def test_amounts_with_units(text, found):
    assert quantities(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("In 1,500 of 2000 people (0.75) [3]", {1500.0, 2000.0, 0.75}),
        ("Two of three", {2.0, 3.0}),
        ("version 1.2.3 of B12 and IL-2", {1.2, 2.0}),
        ("none", set()),
    ],
)
def test_numbers(text, found):
    assert numbers(text) == found


def test_agreement_worked_by_hand():
    ours, theirs = (
        quantities("Take 0.5 g every 6 hours for 3 days."),
        quantities("Take 500 mg every 4 hours for 3 days."),
    )
    assert f1(ours, theirs) == pytest.approx(2 * 2 / 6)
    assert f1(set(), set()) is None
    assert f1(set(), theirs) == 0.0  # an answer that leaves out all doses, a refusal among them
    assert f1(ours, set()) == 0.0  # doses that the reference does not have


@given(st.integers(1, 999_999))
def test_the_same_mass_in_any_unit(milligrams):
    texts = (f"{milligrams} mg", f"{milligrams:,} milligrams", f"{milligrams / 1000} g", f"{milligrams * 1000} mcg")
    assert {frozenset(quantities(t)) for t in texts} == {frozenset({q(milligrams, "mg")})}


@given(st.text(max_size=80))
def test_any_text_is_read(text):
    assert all(found.amount >= 0 for found in quantities(text))
    assert all(n >= 0 for n in numbers(text))
