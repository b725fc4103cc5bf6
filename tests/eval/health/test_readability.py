import pytest

from eval.health.readability import grade, syllables


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("a", 1), ("the", 1), ("care", 1), ("cared", 1), ("treated", 2), ("rates", 1), ("doses", 2), ("table", 2),
        ("disease", 2), ("asthma", 2), ("lesion", 2), ("biopsy", 3), ("social", 2), ("diabetic", 4), ("calcium", 3),
        ("quality", 3), ("medication", 4), ("hypertension", 4), ("rhythm", 1), ("heart", 1), ("usual", 3), ("people", 2),
        ("Crohn's", 1), ("ph", 1),
    ],
)  # fmt: skip
def test_syllables(word, number):
    assert syllables(word) == number


def test_grade_worked_by_hand():
    # 10 words, 2 sentences, syllables: the 1 cat 1 sat 1 on 1 the 1 mat 1 | it 1 was 1 very 2 happy 2 = 12
    found = grade("The cat sat on the mat. It was very happy. [1]")
    assert found == pytest.approx(max(0, 0.39 * 10 / 2 + 11.8 * 12 / 10 - 15.59))
    harder = grade("Hypertension medication alleviates cardiovascular complications.")
    syllable_count = 4 + 4 + 4 + 6 + 4
    assert harder == pytest.approx(0.39 * 5 + 11.8 * syllable_count / 5 - 15.59)


def test_plain_language_is_below_expert_language():
    plain = "Asthma makes it hard to breathe. You may cough or wheeze. Use your inhaler each day."
    expert = "Asthma is characterised by reversible bronchial obstruction, hyperresponsiveness and eosinophilic inflammation."
    assert grade(plain) < 5 < 12 < grade(expert)


def test_without_words_there_is_no_grade():
    assert grade("") is None
    assert grade("1, 2, 3! [4]") is None
