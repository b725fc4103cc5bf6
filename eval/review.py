"""Human review: answers of several systems, blinded and shuffled, for people to grade; then who was who, and do they agree?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import Any

from eval.bootstrap import bootstrap_mean
from eval.kappa import cohens_kappa
from eval.text_metrics import strip_markers
from medqa.errors import MedqaError
from medqa.files import sha256_bytes
from medqa.review_sheet import SCALE, Grades, Item


@dataclass(frozen=True, slots=True)
class Blinded:
    """A sheet and its key."""

    items: list[Item]
    key: dict[str, dict[str, Any]]
    """Item id -> ``id`` of the question and ``systems``, by the place of their answer."""


def blind(rows_by_system: Mapping[str, Sequence[Mapping[str, Any]]], number: int | None, seed: int) -> Blinded:
    """``number`` questions (None: all) with the answers of all systems, in a random order per question.

    Markers are taken out: they would tell systems with sources from those without.

    Raises:
        MedqaError: fewer than two systems, or they asked different questions.
    """
    if len(rows_by_system) < 2:
        raise MedqaError(f"wanted at least two systems side by side, found {', '.join(rows_by_system) or 'none'}")
    by_id = {name: {r["id"]: r for r in rows} for name, rows in rows_by_system.items()}
    ids = {frozenset(rows) for rows in by_id.values()}
    if len(ids) > 1:
        raise MedqaError("wanted systems that were asked the same questions, found others; choose systems of one run")
    drawn = sorted(ids.pop(), key=lambda i: sha256_bytes(f"{seed}:{i}".encode()))[:number]
    random = Random(seed)
    items, key = [], {}
    for place, question_id in enumerate(drawn, start=1):
        systems = sorted(by_id)
        random.shuffle(systems)
        rows = [by_id[name][question_id] for name in systems]
        item = f"{place:04d}"
        answers = tuple(strip_markers(row["answer"]) or "(no answer)" for row in rows)
        items.append(Item(item, rows[0]["question"], rows[0]["reference"], answers))
        key[item] = {"id": question_id, "systems": systems}
    return Blinded(items, key)


def evaluate_grades(
    grades: Mapping[str, Grades], key: Mapping[str, Mapping[str, Any]], resamples: int, seed: int
) -> dict[str, Any]:
    """What the raters found.

    Args:
        grades: rater -> item -> grade of each answer.
        key: of :func:`blind`.
        resamples, seed: of the intervals.

    Returns:
        ``systems``: name -> mean grade over questions with its interval (the raters' mean per question), ``n``, and counts per
        grade;
        ``differences``: of every pair of systems, paired by question; ``agreement``: of every pair of raters; ``missing``:
        rater -> grades not given, which are in no mean.

    Raises:
        MedqaError: no rater, a grade of an item that the key does not know, or of another number of answers.
    """
    if not grades:
        raise MedqaError("wanted the grades of at least one rater, found none; give their files")
    for rater, given in grades.items():
        _check(rater, given, key)
    names = sorted({name for entry in key.values() for name in entry["systems"]})
    # system -> question -> mean of the raters' grades
    means = {name: _means(name, grades, key) for name in names}
    return {
        "questions": len(key),
        "raters": sorted(grades),
        "missing": {
            r: len(key) * len(names) - sum(g is not None for t in given.values() for g in t)
            for r, given in grades.items()
        },
        "systems": {name: _system(name, means[name], grades, key, resamples, seed) for name in names},
        "differences": [_difference(a, b, means[a], means[b], resamples, seed) for a, b in combinations(names, 2)],
        "agreement": [_agreement(a, b, grades[a], grades[b]) for a, b in combinations(sorted(grades), 2)],
    }


def _check(rater: str, given: Grades, key: Mapping[str, Mapping[str, Any]]) -> None:
    strangers = sorted(set(given) - set(key))
    if strangers:
        raise MedqaError(
            f"wanted items of this sheet in the grades of {rater}, found {strangers[0]!r}; give the right key"
        )
    wrong = next((i for i, g in given.items() if len(g) != len(key[i]["systems"])), None)
    if wrong is not None:
        raise MedqaError(
            f"wanted {len(key[wrong]['systems'])} grades for item {wrong} of {rater}, found {len(given[wrong])}"
        )


def _of_system(name: str, given: Grades, key: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Item -> this rater's grade of the system."""
    found = {item: grades[key[item]["systems"].index(name)] for item, grades in given.items()}
    return {item: grade for item, grade in found.items() if grade is not None}


def _means(name: str, grades: Mapping[str, Grades], key: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    per_rater = [_of_system(name, given, key) for given in grades.values()]
    items = sorted({item for found in per_rater for item in found})
    return {i: sum(v) / len(v) for i in items if (v := [found[i] for found in per_rater if i in found])}


def _system(
    name: str,
    means: Mapping[str, float],
    grades: Mapping[str, Grades],
    key: Mapping[str, Mapping[str, Any]],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    given = [g for rater in grades.values() for g in _of_system(name, rater, key).values()]
    counts = {str(grade): given.count(grade) for grade in SCALE}
    return {**_interval(list(means.values()), resamples, seed), "grades": counts}


def _difference(
    a: str, b: str, means_a: Mapping[str, float], means_b: Mapping[str, float], resamples: int, seed: int
) -> dict[str, Any]:
    both = [means_b[i] - means_a[i] for i in means_a if i in means_b]
    return {"contrast": f"{b} - {a}", **_interval(both, resamples, seed)}


def _interval(values: list[float], resamples: int, seed: int) -> dict[str, Any]:
    if not values:
        return {"n": 0, "mean": None, "low": None, "high": None, "reason": "no question was graded"}
    found = bootstrap_mean(values, resamples, seed)
    return {"n": len(values), "mean": found.mean, "low": found.low, "high": found.high, "reason": ""}


def _agreement(a: str, b: str, grades_a: Grades, grades_b: Grades) -> dict[str, Any]:
    pairs = [
        (x, y)
        for item in grades_a
        for x, y in zip(grades_a[item], grades_b.get(item, ()), strict=False)
        if x is not None and y is not None
    ]
    if not pairs:
        nothing = dict.fromkeys(("same", "kappa", "weighted_kappa"))
        return {"raters": [a, b], "n": 0, **nothing, "reason": "no answer was graded by both"}
    first, second = [x for x, _ in pairs], [y for _, y in pairs]
    scale = sorted(SCALE)
    kappa = cohens_kappa(first, second, scale)
    return {
        "raters": [a, b],
        "n": len(pairs),
        "same": sum(x == y for x, y in pairs) / len(pairs),
        "kappa": kappa,
        "weighted_kappa": cohens_kappa(first, second, scale, "quadratic"),
        "reason": "" if kappa is not None else "both gave every answer the same grade: nothing could disagree",
    }


def markdown_review(found: Mapping[str, Any]) -> str:
    """The outcome as Markdown."""
    lines = ["# Review", "", f"{found['questions']} questions, raters: {', '.join(found['raters'])}.", ""]
    lines += [f"- {rater} left {n} grades open; they are in no mean." for rater, n in found["missing"].items() if n]
    lines += [
        "",
        "| system | questions | mean grade (1 to 4) | " + " | ".join(str(g) for g in SCALE) + " |",
        "|---" * 7 + "|",
    ]
    for name, s in found["systems"].items():
        lines.append(
            f"| {name} | {s['n']} | {_text(s)} | " + " | ".join(str(s["grades"][str(g)]) for g in SCALE) + " |"
        )
    lines += ["", "| difference | questions | mean and 95 % interval |", "|---|---|---|"]
    lines += [f"| {d['contrast']} | {d['n']} | {_text(d)} |" for d in found["differences"]]
    if found["agreement"]:
        lines += ["", "| raters | answers | same grade | Cohen's kappa | quadratic weights |", "|---|---|---|---|---|"]
    for a in found["agreement"]:
        numbers = [f"{v:.2f}" if (v := a[k]) is not None else "–" for k in ("same", "kappa", "weighted_kappa")]
        lines.append(f"| {' and '.join(a['raters'])} | {a['n']} | {' | '.join(numbers)} |")
    return "\n".join(lines) + "\n"


def _text(f: Mapping[str, Any]) -> str:
    return "–" if f["mean"] is None else f"{f['mean']:.2f} [{f['low']:.2f}, {f['high']:.2f}]"
