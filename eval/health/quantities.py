"""Numbers, doses and units of a text.

A dose is a number with a unit; units of one dimension are brought to one (500 mg = 0.5 g), so that writing does not matter but
amounts do. Units are those of the International System with the customary ones of health texts (NIST SP 811; UCUM's
case-insensitive forms): mass, volume, length, time, energy, pressure, temperature, share, international units and per-unit
combinations such as mg/kg or mg/dL.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from eval.text_metrics import strip_markers

_SCALES: dict[str, tuple[str, float]] = {
    # unit as written, lower case -> (dimension, how many of the dimension's own unit)
    **dict.fromkeys(("ng", "nanogram", "nanograms"), ("mg", 1e-6)),
    **dict.fromkeys(("mcg", "µg", "μg", "ug", "microgram", "micrograms"), ("mg", 1e-3)),
    **dict.fromkeys(("mg", "milligram", "milligrams"), ("mg", 1.0)),
    **dict.fromkeys(("g", "gm", "gram", "grams"), ("mg", 1e3)),
    **dict.fromkeys(("kg", "kilogram", "kilograms", "kilo", "kilos"), ("mg", 1e6)),
    **dict.fromkeys(("oz", "ounce", "ounces"), ("mg", 28_349.523125)),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds"), ("mg", 453_592.37)),
    **dict.fromkeys(("ml", "cc", "milliliter", "milliliters", "millilitre", "millilitres"), ("ml", 1.0)),
    **dict.fromkeys(("dl", "deciliter", "deciliters"), ("ml", 100.0)),
    **dict.fromkeys(("l", "liter", "liters", "litre", "litres"), ("ml", 1e3)),
    **dict.fromkeys(("mm", "millimeter", "millimeters"), ("mm", 1.0)),
    **dict.fromkeys(("cm", "centimeter", "centimeters"), ("mm", 10.0)),
    **dict.fromkeys(("m", "meter", "meters"), ("mm", 1e3)),
    **dict.fromkeys(("inch", "inches"), ("mm", 25.4)),
    **dict.fromkeys(("sec", "second", "seconds"), ("s", 1.0)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), ("s", 60.0)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), ("s", 3600.0)),
    **dict.fromkeys(("day", "days"), ("s", 86_400.0)),
    **dict.fromkeys(("week", "weeks"), ("s", 604_800.0)),
    # Calendar units have no fixed number of days; they stay what they are.
    **dict.fromkeys(("month", "months"), ("month", 1.0)),
    **dict.fromkeys(("year", "years", "yr", "yrs"), ("month", 12.0)),
    **dict.fromkeys(("kcal", "calorie", "calories"), ("kcal", 1.0)),
    **dict.fromkeys(("mmhg",), ("mmHg", 1.0)),
    **dict.fromkeys(("mmol", "millimole", "millimoles"), ("mmol", 1.0)),
    **dict.fromkeys(("iu", "unit", "units"), ("IU", 1.0)),
    **dict.fromkeys(("%", "percent", "per cent"), ("%", 1.0)),
    **dict.fromkeys(("°c", "degrees celsius", "degrees c"), ("°C", 1.0)),
    **dict.fromkeys(("°f", "degrees fahrenheit", "degrees f"), ("°F", 1.0)),
    **dict.fromkeys(("tablet", "tablets", "pill", "pills", "capsule", "capsules"), ("tablet", 1.0)),
    **dict.fromkeys(("drop", "drops"), ("drop", 1.0)),
    **dict.fromkeys(("time", "times"), ("time", 1.0)),
}
_UNIT = "|".join(re.escape(u) for u in sorted(_SCALES, key=len, reverse=True))
_NUMBER = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_RANGE = r"(?:\s?(?:-|–|to|or|and)\s?)"
_QUANTITY = re.compile(
    rf"(?<![\w.])(?:(?P<low>{_NUMBER}){_RANGE})?(?P<high>{_NUMBER})[\s-]?(?P<unit>{_UNIT})(?![a-zµμ])"
    rf"(?:\s?(?:/|per)\s?(?P<per>{_UNIT}|square meter|m2)(?![a-z]))?",
    re.IGNORECASE,
)
_PLAIN = re.compile(rf"(?<![\w.])(?:{_NUMBER})(?!\d)")
_WORDS = {
    "zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12,
}  # fmt: skip
"""Spelled numbers; without "one", which mostly counts nothing ("one of these")."""
_SPELLED = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount in the own unit of its dimension: ``Quantity(500.0, "mg")``, ``Quantity(5.0, "mg/mg")`` is 5 mg per mg."""

    amount: float
    unit: str


def quantities(text: str) -> set[Quantity]:
    """Every number with a unit. A range gives both ends ("2 to 4 weeks"), "10 mg/kg" is one quantity of its own dimension.

    Spelled numbers from two to twelve count ("two tablets"). Amounts are rounded to nine significant digits, so that 0.5 g and
    500 mg are equal in spite of binary fractions.
    """
    plain = _spelled_out(strip_markers(text))
    return {q for match in _QUANTITY.finditer(plain) for q in _of(match)}


def numbers(text: str) -> set[float]:
    """Every number, with a unit or without, as written or spelled from two to twelve; thousands commas read."""
    return {_value(n) for n in _PLAIN.findall(_spelled_out(strip_markers(text)))}


def _of(match: re.Match[str]) -> Iterator[Quantity]:
    dimension, scale = _SCALES[match["unit"].lower()]
    if match["per"]:
        below, per_scale = _SCALES.get(match["per"].lower(), ("m2", 1.0))
        dimension, scale = f"{dimension}/{below}", scale / per_scale
    for number in (match["low"], match["high"]):
        if number:
            yield Quantity(float(f"{_value(number) * scale:.9g}"), dimension)


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _spelled_out(text: str) -> str:
    return _SPELLED.sub(lambda m: str(_WORDS[m[0].lower()]), text)
