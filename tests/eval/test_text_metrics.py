"""ROUGE against a second implementation on 500 generated texts; token F1 and lengths against cases worked by hand."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.rouge import lcs_length, rouge_scores
from eval.text_metrics import corpus_bleu, length_ratio, strip_markers, token_f1
from retrieval.sentences import split_sentences
from tests.eval.generated_texts import WORDS, pairs


def lcs_places(ref, can):
    """Places in ``ref`` of one longest common subsequence, chosen from the end as ROUGE-1.5.5 does."""
    table = [[0] * (len(can) + 1) for _ in range(len(ref) + 1)]
    for i, x in enumerate(ref):
        for j, y in enumerate(can):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    places, i, j = [], len(ref), len(can)
    while i and j:
        if ref[i - 1] == can[j - 1]:
            places.append(i - 1)
            i, j = i - 1, j - 1
        elif table[i][j - 1] > table[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return places


def words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def f_measure(overlap, a, b):
    return 2 * overlap / (a + b) if overlap else 0.0


def overlap(ours, theirs, order):
    counts = [Counter(tuple(t[i : i + order]) for i in range(len(t) - order + 1)) for t in (ours, theirs)]
    return f_measure((counts[0] & counts[1]).total(), counts[0].total(), counts[1].total())


def lsum(answer, reference):
    ours, theirs = ([words(t[s:e]) for s, e in split_sentences(t)] for t in (answer, reference))
    left, still = Counter(w for s in ours for w in s), Counter(w for s in theirs for w in s)
    hits, sizes = 0, (left.total(), still.total())
    for ref in theirs:
        for place in sorted({p for can in ours for p in lcs_places(ref, can)}):
            if left[ref[place]] and still[ref[place]]:
                hits += 1
                left[ref[place]] -= 1
                still[ref[place]] -= 1
    return f_measure(hits, *sizes)


def test_rouge_of_500_texts_is_that_of_a_second_implementation():
    answers, references = pairs(500, seed=1)
    # Sentences need capitals to be seen as such; the stemmer changes none of these words.
    answers, references = (
        [re.sub(r"([.!?] )(\w)", lambda m: m[1] + m[2].upper(), t) for t in s] for s in (answers, references)
    )
    assert sum(len(split_sentences(r)) > 1 for r in references) > 50
    for score, a, r in zip(rouge_scores(answers, references), answers, references, strict=True):
        ours, theirs = words(a), words(r)
        assert score["rouge1"] == pytest.approx(overlap(ours, theirs, 1), abs=1e-12)
        assert score["rouge2"] == pytest.approx(overlap(ours, theirs, 2), abs=1e-12)
        longest = len(lcs_places(theirs, ours))
        assert score["rougeL"] == pytest.approx(f_measure(longest, len(ours), len(theirs)), abs=1e-12)
        assert score["rougeLsum"] == pytest.approx(lsum(a, r), abs=1e-12)


def test_rouge_of_500_texts_is_rouge_scores_to_the_last_bit():
    from rouge_score.rouge_scorer import RougeScorer

    answers, references = pairs(500, seed=2)
    endings = ["treated", "treatment", "narrowing", "usually", "children's", "corticosteroids", "diseases"]
    answers = [f"{a}. The {endings[i % 7]} {r[:20]}" for i, (a, r) in enumerate(zip(answers, references, strict=True))]
    references = [f"{r}. {endings[i % 5]} is {endings[i % 7]}" for i, r in enumerate(references)]
    names = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scorer = RougeScorer(names, use_stemmer=True)

    def on_lines(text):
        return "\n".join(text[s:e] for s, e in split_sentences(text))

    for score, a, r in zip(rouge_scores(answers, references), answers, references, strict=True):
        theirs = scorer.score(on_lines(r), on_lines(a))
        assert score == {name: theirs[name].fmeasure for name in names}
        assert theirs["rougeL"].fmeasure > 0


@given(st.lists(st.sampled_from("abc"), max_size=70), st.lists(st.sampled_from("abcd"), max_size=70))
def test_longest_common_subsequence_in_bits_is_that_of_the_table(a, b):
    assert lcs_length(a, b) == len(lcs_places(a, b))


def test_bleu_counts_no_markers():
    assert corpus_bleu(["one two three four five [1]"], ["one two three four five"])["bleu"] == pytest.approx(1.0)


def test_markers_are_not_part_of_the_text():
    assert strip_markers("Asthma narrows airways. [1] It wheezes [2][3].") == "Asthma narrows airways. It wheezes."
    assert rouge_scores(["Same words. [1]"], ["Same words."])[0]["rougeL"] == 1.0
    assert token_f1("Same words. [1]", "Same words.") == 1.0


def test_empty_answer_scores_zero():
    assert set(rouge_scores([""], ["something"])[0].values()) == {0.0}
    assert token_f1("", "something") == 0.0
    assert token_f1("the", "something") == 0.0  # nothing but an article
    assert token_f1("", "") == 1.0


def test_token_f1_worked_by_hand():
    # "airways narrow narrow" and "narrow airways swell today": 2 words shared, of 3 and 4.
    assert token_f1("The airways narrow, narrow!", "Narrow airways swell today.") == pytest.approx(2 * 2 / 7)


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.lists(st.sampled_from(WORDS), max_size=12))
def test_token_f1_is_symmetric_and_between_0_and_1(a, b):
    forward, backward = token_f1(" ".join(a), " ".join(b)), token_f1(" ".join(b), " ".join(a))
    assert forward == backward
    assert 0 <= forward <= 1
    assert (forward == 1) == (Counter(a) == Counter(b))


def test_length_ratio_counts_words_without_markers():
    assert length_ratio("one two three [1]", "one two three four five six") == 0.5
    assert length_ratio("", "one") == 0.0
    assert length_ratio("one", "") is None
