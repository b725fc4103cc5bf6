import numpy as np
import torch

from finetune.mining import are_related, informative, label_pairs, mine, own_passages, topic_ids
from medqa.records import Passage, QAPair


def pair(id_, question, answer, topic="", kind="", synonyms=()):
    return QAPair(id_, question, answer, topic=topic, question_type=kind, synonyms=synonyms)


PAIRS = [
    pair("0", "What is flu?", "Flu is a virus.", "Flu", "information", ("influenza",)),
    pair("1", "what is FLU", "Another text.", "Something", "other"),  # the same question
    pair("2", "What treats flu?", "Rest.", "Flu", "treatment"),  # the same topic, another aspect
    pair(
        "3", "Explain influenza.", "It spreads.", "Influenza", "information"
    ),  # the topic by its synonym, the same aspect
    pair("4", "What is gout?", "Gout is pain.", "Gout", "information"),
    pair("5", "Why gout?", "Flu is a  virus!", "Gout", "causes"),  # the same answer as 0
    pair("6", "No topic?", "None.", "", "information"),
    pair("7", "No topic either?", "Nothing.", "", "information"),
]


def test_false_negatives_share_question_answer_or_topic_and_aspect():
    labels = label_pairs(PAIRS)
    related = are_related(labels, labels)
    assert {(i, j) for i, j in np.argwhere(related).tolist() if i < j} == {(0, 1), (0, 3), (0, 5)}
    as_torch = are_related(torch.as_tensor(labels), torch.as_tensor(labels))
    assert as_torch.numpy().tolist() == related.tolist()


def test_topics_are_one_through_a_chain_of_names():
    chain = [
        pair(str(i), "q", "a", t, "", s)
        for i, (t, s) in enumerate([("A", ("B",)), ("C", ("b",)), ("C", ()), ("D", ())])
    ]
    ids = topic_ids(chain).tolist()
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert len({*topic_ids(PAIRS[6:]).tolist()}) == 2  # no topic is not a topic in common


def test_boilerplate_is_what_several_answers_hold():
    passages = [
        Passage(str(i), str(i), text, ()) for i, text in enumerate(["See a doctor.", "see a DOCTOR", "Flu.", "Flu."])
    ]
    # The last two belong to one answer: a repetition within it is no boilerplate.
    assert informative(passages, [0, 1, 2, 2]).tolist() == [False, False, True, True]


def test_own_passages_are_ordered_by_likeness_usable_first():
    found = own_passages([0, 0, 0, 1, 1], 2, [0.1, 0.9, 0.5, 0.2, 0.3], [True, False, True, False, False], 2)
    assert found == [[2, 0], [4, 3]]  # the second pair has nothing usable and keeps all


def vectors(*rows):
    return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=1)


def test_hard_negatives_leave_out_what_is_planted():
    queries = vectors(*[[1, 0, 0]] + [[0, 0, 1]] * 7)
    # owner: passage of each pair; row 2 is a near-duplicate of pair 0's own passage, row 8 is boilerplate.
    owner = np.array([0, 1, 2, 2, 3, 4, 5, 6, 7])
    passages = vectors(
        [9, 1, 0], [9, 0, 0], [9, 1.1, 0], [5, 9, 0], [9, 0, 1], [5, 0, 9], [9, 0, 0], [3, 9, 9], [9, 0, 0]
    )  # fmt: skip
    usable = np.array([True] * 8 + [False])
    own = [[0], [1], [2, 3], [4], [5], [6], [7], [8]]
    found = mine(queries, passages, owner, label_pairs(PAIRS), topic_ids(PAIRS), usable, own, 4)
    assert found.shape == (8, 2, 4)
    # Pair 0: of its topic only the other aspect's second passage; of others gout and no-topic, nearest first. Not: the same
    # question (1), answer (6), topic and aspect by synonym (4), the near-duplicate (2), boilerplate (8), its own (0).
    assert found[0].tolist() == [[3, -1, -1, -1], [5, 7, -1, -1]]


def test_depth_is_cut_to_what_there_is():
    one, labels, topics = vectors([1, 0]), label_pairs(PAIRS[:1]), topic_ids(PAIRS[:1])
    [first] = mine(one, one, np.array([0]), labels, topics, np.array([True]), [[0]], 9)
    assert first.tolist() == [[-1], [-1]]
