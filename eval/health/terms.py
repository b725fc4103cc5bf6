"""Conditions, drugs and genes that a text names, by a term list built from the corpus itself.

- **Conditions** are the corpus's topics and their synonyms. Synonyms of one topic are one condition.
- **Drugs** are words of the corpus's answers with the stem of an international non-proprietary name (WHO, *The use of
  stems in the selection of international nonproprietary names*, 2018: ``-mab``, ``-pril``, ``-vastatin`` ...), the
  common ones whose names are older than the stems, and topics whose questions are about a medicine (their type says
  dose, side effects, brand names ...).
- **Genes** are symbols that the corpus or the text itself calls a gene ("the FBN1 gene", "mutations in FBN1"), in the form of
  HGNC's guidelines (Bruford et al., Nature Genetics 52, 2020): capitals and digits, matched in this case only.
"""

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from eval.text_metrics import strip_markers
from medqa.records import QAPair

Terms = tuple[str, ...]
"""A term as words, lower case, singular."""

_TOKEN = re.compile(r"[A-Za-z0-9]+(?:['’][a-z]+)?")
_ABBREVIATION = re.compile(r"(?=(?:.*[A-Z]){2})[A-Z0-9][A-Za-z0-9]{2,7}")
_STEM = re.compile(
    r"[a-z]{2,}(?:mab|pril|sartan|vastatin|olol|cillin|mycin|cycline|conazole|prazole|vir|parin|tinib|gliptin|gliflozin|"
    r"glutide|glitazone|floxacin|dronate|setron|triptan|azepam|azolam|barbital|caine|oxetine|triptyline|formin|thiazide|semide|"
    r"profen|coxib|methasone|cortisone|nisone|nisolone|nidazole|platin|rubicin|taxel|mustine|trexate|zosin|dipine|lukast|meterol|"
    r"buterol|peridol|promazine|azapine)"
)
_NO_DRUG = frozenset(["cocaine"])
"""Words with a stem that health texts do not use of a medicine."""
_OLD_NAMES = frozenset([
    "acetaminophen", "albendazole", "allopurinol", "aspirin", "azathioprine", "baclofen", "bupropion",
    "carbamazepine", "carbidopa", "chloroquine", "citalopram", "clopidogrel", "codeine", "colchicine",
    "cyclophosphamide", "cyclosporine", "digoxin", "epinephrine", "ethambutol", "fentanyl", "gabapentin",
    "hydrocodone", "hydroxychloroquine", "insulin", "interferon", "isoniazid", "ivermectin", "levodopa",
    "levothyroxine", "lithium", "methadone", "morphine", "naloxone", "nitroglycerin", "oxycodone", "paracetamol",
    "penicillamine", "phenytoin", "praziquantel", "quinine", "rifampin", "sertraline", "spironolactone",
    "tacrolimus", "tamoxifen", "trazodone", "valproate", "warfarin",
])  # fmt: skip
"""Medicines without a stem in their name; only those that the corpus names enter its list."""
_DRUG_TYPES = frozenset(
    ["dose", "dosage", "usage", "side effects", "brand names", "storage", "storage and disposal", "forgotten dose",
     "how to use", "why prescribed", "drug interaction", "drug interactions", "interactions"]
)  # fmt: skip
_SYMBOL = r"[A-Z][A-Z0-9]{1,8}(?:-[A-Z0-9]{1,3})?"
_GENE = re.compile(
    rf"\b({_SYMBOL})(?:,? (?:and|or) ({_SYMBOL}))? genes?\b|"
    rf"\b(?:genes?(?: called| named)?|mutations? in|variants? in|changes in) (?:the )?({_SYMBOL})\b(?! syndrome| disease)"
)
_NO_GENE = re.compile(r"[IVX]+|[A-Z]?[DR]NA|HLA|MRI|CT")
"""Roman numerals (types of a disease), molecules and scans that stand where a gene's name could."""
_COMMON = 0.02
"""A one-word condition in more than this share of the answers of other topics ("disease", "pain") says nothing about
agreement."""


@dataclass(frozen=True)
class TermList:
    """What the corpus calls a condition, a drug or a gene."""

    conditions: Mapping[Terms, str]
    """Words -> name of the condition, which all its synonyms share."""
    abbreviations: Mapping[str, str]
    """Abbreviated conditions, matched as written ("COPD"), -> name."""
    drugs: frozenset[Terms]
    genes: frozenset[str]
    longest: Mapping[str, int]
    """First word of a term -> words of the longest term that begins with it."""


def term_list(pairs: Sequence[QAPair]) -> TermList:
    """The term list of a corpus; the same whatever the order of ``pairs``."""
    drug_topics = {p.topic for p in pairs if p.topic and p.question_type.lower() in _DRUG_TYPES}
    names: dict[str, set[str]] = {}
    for p in pairs:
        if p.topic and p.topic not in drug_topics:
            for name in (p.topic, *p.synonyms):
                names.setdefault(name, set()).add(p.topic.casefold())
    texts = [p.answer for p in pairs]
    frequency = Counter(w for text in texts for w in set(words(text)))
    common = {w for w, n in frequency.items() if n > max(10, _COMMON * len(texts))}
    conditions: dict[Terms, str] = {}
    abbreviations: dict[str, str] = {}
    for name in sorted(names):
        concept = min(names[name])
        if _ABBREVIATION.fullmatch(name):
            abbreviations.setdefault(name, concept)
            continue
        term = tuple(words(name))
        if term and not (len(term) == 1 and (term[0] in common or len(term[0]) < 4)):
            conditions.setdefault(term, concept)
    drugs = {(w,) for w in frequency if is_drug_word(w)} | {tuple(words(t)) for t in drug_topics if words(t)}
    genes = {g for text in texts for g in called_genes(text)}
    longest: dict[str, int] = {}
    for term in [*conditions, *drugs]:
        longest[term[0]] = max(len(term), longest.get(term[0], 0))
    return TermList(conditions, abbreviations, frozenset(drugs), frozenset(genes), longest)


def find_conditions(text: str, terms: TermList) -> set[str]:
    """Names of the conditions in ``text``; of overlapping terms the longest counts ("type 2 diabetes", not "diabetes")."""
    plain = strip_markers(text)
    found = {terms.conditions[t] for t in _longest_terms(words(plain), terms.conditions, terms.longest)}
    return found | {terms.abbreviations[t] for t in _TOKEN.findall(plain) if t in terms.abbreviations}


def find_drugs(text: str, terms: TermList) -> set[Terms]:
    """Drugs in ``text``: those of the list, and words with a drug's stem, so that an invented drug counts too."""
    plain = words(strip_markers(text))
    return set(_longest_terms(plain, terms.drugs, terms.longest)) | {(w,) for w in plain if _has_stem(w)}


def find_genes(text: str, terms: TermList) -> set[str]:
    """Gene symbols in ``text``: those of the list, and what the text calls a gene, so that an invented gene counts too."""
    plain = strip_markers(text)
    return {t for t in re.findall(r"[A-Z][A-Z0-9-]+", plain) if t in terms.genes} | called_genes(plain)


def called_genes(text: str) -> set[str]:
    """Symbols that ``text`` calls a gene."""
    return {name for m in _GENE.finditer(text) for name in m.groups() if name and not _NO_GENE.fullmatch(name)}


def is_drug_word(word: str) -> bool:
    """Whether a lower-case word is a drug's name by its stem or an old name."""
    return word in _OLD_NAMES or _has_stem(word)


def words(text: str) -> list[str]:
    """Words of ``text`` in lower case, without possessive and plural ``s``."""
    return [_singular(re.split("['’]", token)[0].lower()) for token in _TOKEN.findall(text)]


def _has_stem(word: str) -> bool:
    return word not in _NO_DRUG and bool(_STEM.fullmatch(word))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _longest_terms(text: Sequence[str], terms: Container[Terms], longest: Mapping[str, int]) -> Iterable[Terms]:
    """Terms in ``text`` from left to right, the longest at each place; what a term covers is not looked at again."""
    at = 0
    while at < len(text):
        for size in range(min(longest.get(text[at], 0), len(text) - at), 0, -1):
            term = tuple(text[at : at + size])
            if term in terms:
                yield term
                at += size
                break
        else:
            at += 1
