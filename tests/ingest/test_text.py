import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.text import clean_answer, clean_question, clean_text, fold, mend_mojibake, same_key, strip_markup


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("What is (are) Gout ?", "What is (are) Gout?"),
        ("What is Gout ? ?", "What is Gout?"),
        ("What is Gout ? And why ??", "What is Gout? And why?"),
        ("  What\u00a0is\n\tGout\u200b?", "What is Gout?"),
        ("What is <b>Gout</b>&nbsp;?", "What is Gout?"),
    ],
)
def test_questions(raw, wanted):
    assert clean_question(raw) == wanted


def test_medquad_answer_keeps_its_lines():
    raw = "Key Points\n            - One.    - Two (2).     - Three\n      \n   Text goes on.   Next paragraph here."
    assert clean_answer(raw) == "Key Points\n- One.\n- Two (2).\n- Three\nText goes on.\nNext paragraph here."


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("- first\n- second", "- first\n- second"),
        ("Signs: • fever • cough", "Signs:\n- fever\n- cough"),
        ("a range of 5 - 10 mg", "a range of 5 - 10 mg"),
        ("word   word   word", "word word word"),
        ("brain -- a collection", "brain -- a collection"),
        ("one\r\ntwo\u2028three\vfour", "one\ntwo\nthree\nfour"),
        ("x\n-\ny\n-", "x\n- y"),
        ("", ""),
    ],
)
def test_answers(raw, wanted):
    assert clean_answer(raw) == wanted


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("p &lt; 0.05 and q &gt; 0.1", "p < 0.05 and q > 0.1"),
        ("if x <y and z> 3", "if x <y and z> 3"),
        ("AT&T and R&D", "AT&T and R&D"),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
        ("a<!-- hidden -->b<script>evil()</script>c", "a b c"),
        ("<p>One</p><p>Two</p>", "\nOne\n\nTwo\n"),
        ("&#8217;&#x2019;&rsquo;", "’’’"),
    ],
)
def test_markup(raw, wanted):
    assert strip_markup(raw) == wanted


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("donâ€™t â€“ 38Â°C cafÃ©", "don’t – 38°C café"),
        ("don\x92t", "don’t"),
        ("Ménière", "Ménière"),
        ("âge, Ångström, À la carte", "âge, Ångström, À la carte"),
    ],
)
def test_mojibake(raw, wanted):
    assert mend_mojibake(raw) == wanted


@pytest.mark.parametrize("text", ["“don’t” – café… 38 °C ± ½ µg", "naïve Ménière’s Sjögren’s", "€ 5 ‘x’"])
def test_mojibake_is_undone_exactly(text):
    twisted = "".join(bytes([b]).decode("cp1252", "ignore") or chr(b) for b in text.encode())
    assert twisted != text
    assert mend_mojibake(twisted) == text


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("10⁶ cells, 10⁻³ g, m²", "10^6 cells, 10^-3 g, m2"),
        ("2½ tablets, ¼ cup", "2 1/2 tablets, 1/4 cup"),
        ("ﬁne ５ mg", "fine 5 mg"),
    ],
)
def test_nfkc_does_not_change_numbers(raw, wanted):
    assert clean_text(raw) == wanted


def test_invisible_and_unwritable_characters_go():
    assert clean_text("a\x00b\ufeffc\u202ed\ud800e\U000e0041f\u200cg") == "abcdef\u200cg"


def test_keys():
    assert fold("What\n IS  Gout?") == "what is gout?"
    assert same_key("What is “Gout” ?") == same_key("what is gout") == "what is gout"
    assert same_key("???") == "???"


@given(st.text())
def test_cleaning_is_stable_and_writable(text):
    for clean in (clean_question, clean_answer):
        once = clean(text)
        once.encode("utf-8")
        assert "\0" not in once
        assert once == once.strip()


@given(st.text(alphabet=st.characters(exclude_characters="<>&", max_codepoint=0x2FF), max_size=80))
def test_cleaning_a_clean_question_changes_nothing(text):
    once = clean_question(text)
    assert clean_question(once) == once


@pytest.mark.parametrize(
    "unit", [" ", "\t", "\n \n", "<!--", "<script>", "<style ", "&lt;", "? ", " ?", "- ", "\u2022 ", "<p"]
)
def test_long_runs_do_not_take_quadratic_time(unit):
    """Were it quadratic, each of these would take minutes, and the whole suite would not finish."""
    text = "What is it " + unit * 100_000 + " of note?"
    assert clean_question(text).startswith("What is it")
    assert clean_answer(text).startswith("What is it")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a<!-- b -->c", "a c"),
        ("a<!-- b", "a<!-- b"),
        ("a<!-- <script>x</script> -->b", "a b"),
        ("a<script>if (1 < 2) {}</script >b<STYLE type='x'>y</Style>c", "a b c"),
        ("a<script>b<!-- c -->d", "a<script>b d"),
        ("a<!-- one --> and <!-- two -->b", "a and b"),
    ],
)
def test_hidden_parts_go_and_what_is_never_closed_stays(text, wanted):
    assert clean_question(text) == wanted
