"""Write ``dirty.csv``: raw rows as they come from spreadsheets and web exports, every fault planted on purpose.

Run from the repository root: ``python data/sample/make_dirty.py``. The result depends on this file and ``health.csv`` alone;
``tests/ingest/test_sample.py`` holds the number of rows that each fault must cost.
"""

import csv
import io
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLUMNS = ("id", "question", "answer", "source", "topic", "question_type", "synonyms")

# The same rows again, with other white space and case: exact duplicates.
SHOUTED = ("asthma-information", "gout-information", "measles-prevention", "croup-outlook")
SPACED = (
    "stroke-symptoms",
    "acne-information",
    "shingles-information",
    "migraine-treatment",
    "eczema-causes",
    "scabies-causes",
)
TABBED = ("pink-eye-prevention", "dehydration-information")

# id of a row of health.csv -> words changed in it: near-duplicates.
EDITED = {
    "pneumonia-exams-and-tests": (("Doctors diagnose", "Physicians diagnose"),),
    "hypothyroidism-treatment": (("replaces what the gland", "replaces whatever the gland"), ("yearly", "annual")),
    "celiac-disease-treatment": (("is a strict, lifelong", "is a strict and lifelong"),),
    "osteoporosis-prevention": (("such as walking, dancing", "such as hiking, dancing"),),
    "kidney-stones-prevention": (("single most useful step", "single most useful measure"),),
    "tinnitus-treatment": (("intrusive, since", "intrusive, because"),),
    "food-poisoning-prevention": (("with four habits", "with four simple habits"),),
    "tooth-decay-prevention": (("around age seven or eight", "about age seven or eight"),),
}

ABSENT = "Answer to be written by the editor before the next release."

# (question, answer, topic, question type): rows that cleaning drops.
WORTHLESS = (
    ("", "Drink small sips of water and rest until the stomach settles.", "Nausea", "treatment"),
    ("   ", "A cold compress eases the itch of most insect bites.", "Insect Bites", "treatment"),
    ("N/A", "Cut toenails straight across so that they do not grow into the skin.", "Ingrown Toenail", "prevention"),
    ("What causes Hiccups?", "", "Hiccups", "causes"),
    ("What are the symptoms of Nausea?", "NaN", "Nausea", "symptoms"),
    ("How to prevent Insect Bites?", " null ", "Insect Bites", "prevention"),
    ("<p>&nbsp;</p>", ABSENT, "Nausea", "information"),
    ("Why?", "Because the lining of the nose dries out and cracks in winter.", "Nosebleed", "causes"),
    ("What is it?", "A short, sudden spasm of the breathing muscle under the lungs.", "Hiccups", "information"),
    ("How is it treated?", "With rest, a cold compress and time in most people.", "Muscle Cramp", "treatment"),
    (
        "What are the symptoms?",
        "Pain, a hard muscle and trouble moving the leg for a minute.",
        "Muscle Cramp",
        "symptoms",
    ),
    ("Is this serious ?", "Mostly not, but see a doctor if it keeps coming back.", "Nosebleed", "outlook"),
    ("Hiccups?", "Hiccups are sudden spasms of the breathing muscle under the lungs.", "Hiccups", "information"),
    ("Nosebleed", "Bleeding from the nose is common and mostly harmless.", "Nosebleed", "information"),
    ("Snoring", "Snoring is the sound of soft tissue in the throat that vibrates.", "Snoring", "information"),
    ("What causes Snoring?", "Various", "Snoring", "causes"),
    ("Who is at risk for Muscle Cramp?", "Many people.", "Muscle Cramp", "susceptibility"),
    ("What is the outlook for Hiccups?", "Good.", "Hiccups", "outlook"),
    ("What are the treatments for Snoring?", "What are the treatments for snoring", "Snoring", "treatment"),
    ("How to diagnose Nosebleed?", "<b>How to diagnose Nosebleed ?</b>", "Nosebleed", "exams and tests"),
)

# Rows that are worth keeping once they are clean.
REPAIRABLE = (
    (
        "What is (are) Nosebleed ?",
        "<p>A nosebleed is bleeding from the small blood vessels inside the nose.</p><p>Most start near the front of the "
        "nose &amp; stop within 10 to 15&nbsp;minutes.</p><br/>They are common in children and in older adults.",
        "Nosebleed",
        "information",
    ),
    (
        "What should I do when my nose bleeds? ?",
        "<ul><li>Sit up and lean slightly forward.</li><li>Pinch the soft part of the nose for 10 to 15 minutes without "
        "letting go.</li><li>Breathe through the mouth.</li></ul>Get medical help if the bleeding is heavy or does not stop "
        "after 30 minutes, or if it follows a blow to the head.",
        "Nosebleed",
        "treatment",
    ),
    (
        "How to prevent Nosebleed?",
        "Keep the air in your home moist, use a saline spray or a thin layer of petroleum jelly inside the nostrils, and "
        "don’t pick your nose. People who take blood thinners should ask their doctor about nosebleeds that return.",
        "Nosebleed",
        "prevention",
    ),
    (
        "What is (are) Hiccups?",
        "Hiccups are sudden spasms of the diaphragm, the breathing muscle under the lungs.    - Each spasm closes the vocal "
        "cords for a moment and makes the “hic” sound.    - Most bouts stop on their own within minutes or hours.",
        "Hiccups",
        "information",
    ),
    (
        "When should I see a doctor about hiccups?",
        "See a doctor about hiccups that last longer than two days, or that keep you from eating, drinking or sleeping.\x00 "
        "Long bouts can come from a medicine or from another illness that needs treatment.",
        "Hiccups",
        "considerations",
    ),
    (
        "What can I try against hiccups at home?",
        "Hold your breath for a short time, sip cold water slowly, or breathe into your cupped hands\x07. No home remedy for "
        "hiccups has been proven, but these are harmless for most people.",
        "Hiccups",
        "treatment",
    ),
    (
        "What is (are) Muscle Cramp?",
        "A muscle cramp is a sudden, painful tightening of a muscle that you cannot relax at will. It most often strikes the "
        "calf or the foot, lasts seconds to minutes, and leaves the muscle sore for a while.",
        "Muscle Cramp",
        "information",
    ),
    (
        "How do I stop a cramp in my calf?",
        "To stop a muscle cramp in the calf, straighten the leg and gently pull the toes toward the shin. Rubbing the muscle, "
        "walking a few steps or a warm cloth also helps. A calf that stays swollen, warm and sore needs a doctor’s "
        "attention the same day, because a blood clot can feel much the same.",
        "Muscle Cramp",
        "treatment",
    ),
    (
        "What is (are) Snoring?",
        "Snoring is the sound of air that makes soft tissue in the throat vibrate during sleep — it is very common. Loud "
        "snoring with pauses in breathing, or with strong sleepiness by day, may point to sleep apnea and should be checked.",
        "Snoring",
        "information",
    ),
    (
        "How to prevent Snoring?",
        "Sleeping on the side, losing extra weight, drinking less alcohol in the evening and treating a blocked nose "
        "all make snoring less likely.",
        "Snoring",
        "prevention",
    ),
    (
        "What are the treatments for Insect Bites?",
        "Wash insect bites with soap and water and cool them for about 10 to 20 minutes. An antihistamine tablet or a mild "
        "steroid cream from the pharmacy can ease the itch. Trouble breathing, swelling of the face or faintness after a "
        "bite or sting is an emergency.",
        "Insect Bites",
        "treatment",
    ),
)

# UTF-8 that someone read as Windows-1252 and saved as UTF-8 again: "donâ€™t". These two lines of the file are UTF-8.
MOJIBAKE = (
    (
        "What are the symptoms of Insect Bites?",
        "Most insect bites cause a small, itchy, red bump that fades within a few days. Swelling that grows, warmth, pus or "
        "a fever above 38 °C can be signs of infection – and that’s a reason to see a doctor.",
        "Insect Bites",
        "symptoms",
    ),
    (
        "Who is at risk for Muscle Cramp?",
        "Muscle cramps are more common in older adults, in pregnancy, in people who exercise hard in the heat, and with some "
        "medicines – for example water tablets. “Growing pains” in children’s legs are often cramps as well.",
        "Muscle Cramp",
        "susceptibility",
    ),
)


def main() -> None:
    """Write the file, Windows-1252 with CRLF line ends."""
    with (HERE / "health.csv").open(encoding="utf-8", newline="") as stream:
        health = {row["id"]: row for row in csv.DictReader(stream)}
    lines = [_line(_copy(health[i], str.upper)) for i in SHOUTED]
    lines += [_line(_copy(health[i], lambda text: "  " + text.replace(" ", "\u00a0 ", 5) + " ")) for i in SPACED]
    lines += [_line(_copy(health[i], lambda text: text.replace(" ", "\t", 3))) for i in TABBED]
    lines += [_line(_edited(health[i], changes)) for i, changes in EDITED.items()]
    lines += [_line(_row(*row)) for row in (*WORTHLESS, *REPAIRABLE)]
    lines += [_line(_row(_twisted(_twisted(q)), _twisted(_twisted(a)), topic, kind)) for q, a, topic, kind in MOJIBAKE]
    lines += _broken()
    numbered = [
        f"raw-{number:02}{line}" for number, line in enumerate(lines, start=1)
    ]  # every line begins with an empty id
    (HERE / "dirty.csv").write_bytes(b"".join(map(_windows, "".join([_line(COLUMNS), *numbered]))))


def _row(question: str, answer: str, topic: str, question_type: str) -> tuple[str, ...]:
    return ("", question, answer, f"sample: {topic}" if topic else "", topic, question_type, "")


def _copy(row: dict[str, str], change: Callable[[str], str]) -> tuple[str, ...]:
    """A row again, without id and source, its question and answer changed."""
    return ("", change(row["question"]), change(row["answer"]), "", row["topic"], row["question_type"], "")


def _edited(row: dict[str, str], changes: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    answer = row["answer"]
    for old, new in changes:
        assert old in answer, (row["id"], old)
        answer = answer.replace(old, new)
    return ("", row["question"], answer, row["source"], row["topic"], row["question_type"], row["synonyms"])


def _twisted(text: str) -> str:
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode("utf-8"))


def _windows(char: str) -> bytes:
    """Windows-1252 as programs write it: bytes that it does not define stand for themselves."""
    return char.encode("cp1252", "ignore") or char.encode("latin-1")


def _broken() -> list[str]:
    """Rows that no reader can take apart with certainty; the last one is good again."""
    return [
        # An unquoted comma in the answer: one field too many.
        ",How to prevent Nausea?,Eat small meals, and eat slowly.,sample: Nausea,Nausea,prevention,\r\n",
        # Cut off: fields are missing.
        ",What are the treatments for Nausea?,Sip water\r\n",
        # A quote that is never closed.
        ',"What is the outlook for Nausea?,It mostly passes within a day.,sample: Nausea,Nausea,outlook,\r\n',
        _line(
            _row(
                "What is (are) Nausea?",
                "Nausea is the uneasy feeling in the stomach that often comes before vomiting. It has many causes, among them "
                "stomach infections, motion, pregnancy, migraine and medicines.",
                "Nausea",
                "information",
            )
        ),
    ]


def _line(cells: tuple[str, ...]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\r\n").writerow(cells)
    return stream.getvalue()


if __name__ == "__main__":
    main()
