import random

import pytest

from eval.health.terms import find_conditions, find_drugs, find_genes, term_list
from medqa.records import QAPair


def pair(n, topic, answer, synonyms=(), kind="information"):
    return QAPair(f"p{n}", f"What is {topic}?", answer, topic=topic, question_type=kind, synonyms=tuple(synonyms))


PAIRS = [
    pair(1, "Diabetes", "Metformin lowers sugar.", ["sugar disease"]),
    pair(2, "Type 2 Diabetes", "It starts late.", ["T2D", "adult-onset diabetes"]),
    pair(3, "Chronic Obstructive Pulmonary Disease", "Smoking causes it.", ["COPD"]),
    pair(4, "Marfan Syndrome", "Mutations in the FBN1 gene. The TGFBR1 and TGFBR2 genes too."),
    pair(5, "Lisinopril", "Take it daily.", kind="side effects"),
    pair(6, "Ox", "Short names say little.", ["II"]),
]
TERMS = term_list(PAIRS)


def test_synonyms_are_one_condition_and_the_longest_term_counts():
    assert find_conditions("She has type 2 diabetes.", TERMS) == {"type 2 diabetes"}
    assert find_conditions("Adult-onset diabetes it was.", TERMS) == {"type 2 diabetes"}
    assert find_conditions("DIABETES and sugar diseases", TERMS) == {"diabetes"}
    assert find_conditions("Marfan's syndrome", TERMS) == {"marfan syndrome"}
    assert find_conditions("Oxen are animals. [2]", TERMS) == set()


def test_abbreviations_are_matched_as_written():
    assert find_conditions("COPD or T2D", TERMS) == {"chronic obstructive pulmonary disease", "type 2 diabetes"}
    assert find_conditions("copd", TERMS) == set()


def test_drugs_by_stem_by_old_name_and_by_the_questions_asked_about_them():
    assert find_drugs("Lisinopril or metformin", TERMS) == {("lisinopril",), ("metformin",)}
    assert find_drugs("an invented zorbumab", TERMS) == {("zorbumab",)}  # so that an invented drug counts
    assert find_drugs("aspirin", TERMS) == set()  # not a word of this corpus
    assert find_drugs("aspirin", term_list([*PAIRS, pair(7, "Pain", "Aspirin helps.")])) == {("aspirin",)}
    assert find_drugs("cholesterol, cocaine and somatostatin", TERMS) == set()
    assert ("lisinopril",) not in TERMS.conditions


def test_genes_of_the_corpus_and_of_the_text():
    assert TERMS.genes == {"FBN1", "TGFBR1", "TGFBR2"}
    assert find_genes("FBN1 is long.", TERMS) == {"FBN1"}
    assert find_genes("The XYZ9 gene and mutations in ABC1", TERMS) == {"XYZ9", "ABC1"}
    assert find_genes("fbn1, type II disease, the DNA, changes in MEN1 syndrome", TERMS) == set()


def test_words_that_are_everywhere_are_no_conditions():
    many = [pair(n, f"Topic{n}", "The fever comes.") for n in range(30)]
    terms = term_list([*many, pair(99, "Fever", "It is hot.")])
    assert find_conditions("fever", terms) == set()
    assert find_conditions("Topic7", terms) == {"topic7"}


def test_the_order_of_rows_does_not_matter():
    turned = random.Random(0).sample(PAIRS, len(PAIRS))
    assert term_list(turned) == TERMS


@pytest.mark.parametrize("find", [find_conditions, find_drugs, find_genes])
def test_an_empty_text_names_nothing(find):
    assert find("", TERMS) == set()
