"""How many years of school a text asks for: the Flesch-Kincaid grade.

Kincaid, Fishburne, Rogers & Chissom, *Derivation of new readability formulas*, Naval Technical Training Command, 1975.
Syllables are counted by rule: the tools that look them up need a dictionary of pronunciation from the network, and most
medical words are not in it.
"""

import re

from eval.text_metrics import strip_markers
from retrieval.sentences import split_sentences

_WORD = re.compile(r"[A-Za-zÀ-ÿ]+(?:['’][A-Za-z]+)?")
_GROUP = re.compile(r"[aeiouyà-ÿ]+")
_SILENT = re.compile(r"(?:[^aeiouyl]e|[aeiouy]le|[^aeiouytd]ed|[^aeiouyszxchg]es)$")
_APART = re.compile(r"(?<![ctsg])ia|io(?!n|us)|iu|eo(?!us|p)|ua(?!r)|uo")


def grade(text: str) -> float | None:
    """``0.39 words / sentences + 11.8 syllables / words - 15.59``, never below 0; None for a text without words.

    About 8 is plain English; health information is advised to stay at 6 to 8. A list without full stops reads as the sentences
    that :func:`retrieval.sentences.split_sentences` sees; numbers are not words.
    """
    plain = strip_markers(text)
    words = _WORD.findall(plain)
    if not words:
        return None
    sentences = sum(bool(_WORD.search(plain[s:e])) for s, e in split_sentences(plain))
    spoken = sum(syllables(word) for word in words)
    return max(0.0, 0.39 * len(words) / sentences + 11.8 * spoken / len(words) - 15.59)


def syllables(word: str) -> int:
    """Syllables of an English word by rule; at least 1.

    Each run of vowel letters (y among them, the u of ``qu`` not) is one; one less for a silent ending (``e``, ``ed``
    not after t or d, ``es`` not after a hissing sound; ``le`` after a consonant is spoken), one more where two vowels
    are spoken apart (``ia`` as in *diabetic* but not *social*, ``io`` as in *biopsy* but not *lesion*, ``iu``, ``eo``,
    ``ua``, ``uo``). It errs by one in some words ("diabetes" gives 3); over a text the errors mostly cancel.
    """
    lower = word.lower().replace("qu", "q")
    count = len(_GROUP.findall(lower)) - bool(_SILENT.search(lower)) + len(_APART.findall(lower))
    return max(1, count)
