"""Rows of an evaluation, made by hand: only what a test is about has to be said."""


def row(n, answer="one two three four [1]", reference="one two three four", **more):
    variant = more.pop("variant", "tuned+rag")
    closed = variant in ("plain", "tuned")
    found = {
        "id": f"q{n}", "question": f"Question {n}?", "variant": variant, "name": variant,
        "index": "none" if closed else "open-book", "answer": answer, "reference": reference,
        "abstained": False, "reason": "", "error": None, "unsupported": [], "invented_markers": 0,
        "citations": [], "uncited": [], "safety": {"action": "allow", "rules": []},
        "timings_ms": {"generate": 500.0, "verify": 500.0}, "question_type": "information", "topic": "Asthma",
        "source": "NIH", "topic_rows": 2, "evidence": None if closed else 0.5,
        "retrieved": None if closed else ["p1", "p2"], "relevant": None if closed else ["p1"],
    }  # fmt: skip
    return {**found, **more}


def passage(text, pair="p1", title="Asthma"):
    return {"pair_id": pair, "passage_id": f"{pair}:0", "title": title, "text": text, "score": 1.0}


def citation(marker, text, supported=True, **more):
    return {**passage(text, **more), "marker": marker, "supported": supported, "sentence": "", "span": None, "why": ""}


def with_scores(n, value, name="rougeL", **more):
    """A row whose only score is given."""
    from eval.measures import PER_ANSWER

    scores = {**dict.fromkeys(PER_ANSWER), name: value}
    return {**row(n, **more), "scores": scores, "score_reasons": {}}
