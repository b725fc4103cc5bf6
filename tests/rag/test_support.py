from medqa.records import Passage
from rag.support import check_support, content_words, numbers

TEXT = "Asthma is a long-term disease of the airways. It is not contagious. About 25 million people have it."
PASSAGE = Passage("p", "pair", TEXT, ((0, 45), (46, 67), (68, 101)), title="Asthma")


def test_content_words_drop_function_words_negation_and_plural_s():
    assert content_words("The airways are not swollen, and it doesn't help.") == ["airway", "swollen", "help"]


def test_numbers_are_compared_as_written_without_thousands_commas():
    assert numbers("1,000 mg or 0.5 g in 2 doses.") == {"1000", "0.5", "2"}


def test_copied_sentence_is_supported_and_its_span_is_found():
    verdict = check_support("It is not contagious.", PASSAGE, 0.6)
    assert verdict.supported
    assert TEXT[slice(*verdict.span)] == "It is not contagious."


def test_title_counts_as_part_of_the_passage():
    alone = Passage("p", "pair", "It is not contagious.", ((0, 21),))
    assert not check_support("Asthma is not contagious.", alone, 0.6).supported
    titled = Passage("p", "pair", "It is not contagious.", ((0, 21),), title="Asthma")
    assert check_support("Asthma is not contagious.", titled, 0.6).supported


def test_wrong_number_is_never_supported():
    verdict = check_support("About 52 million people have it.", PASSAGE, 0.6)
    assert not verdict.supported
    assert verdict.why == "not in the passage: 52"


def test_flipped_negation_is_not_supported():
    verdict = check_support("It is contagious.", PASSAGE, 0.6)
    assert not verdict.supported
    assert "'not'" in verdict.why


def test_invented_words_lower_the_share():
    verdict = check_support("Asthma is cured by moonlight and crystals.", PASSAGE, 0.6)
    assert not verdict.supported
    assert "25%" in verdict.why  # of asthma, cured, moonlight, crystals only the first stands there
    assert "moonlight" in verdict.why


def test_sentence_without_content_words_claims_nothing():
    assert not check_support("It is.", PASSAGE, 0.0).supported
