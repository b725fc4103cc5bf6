"""The made-up letters of benchmarks/phi.py: surface forms of personal data, planted in prose, and look-alikes that are none."""

import random

FIRST = ("Aisha", "Ben", "Carlos", "Denise", "Emily", "Fatima", "George", "Hannah", "Ivan", "Jürgen", "Katarzyna", "Liam",
         "María", "Nadia", "Oliver", "Priya", "Seán", "Tomas")  # fmt: skip
LAST = ("Smith", "Patel", "O'Brien", "García", "Nguyen", "McDonald", "Smith-Jones", "Kowalski", "Okafor", "Müller", "Johnson",
        "Rossi", "Tanaka", "Baker", "Li", "Haddad")  # fmt: skip
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip

# {d} a digit 2-9, {D} any digit; {first} {last}; {m} {day} {y} a date; braces as in str.format.
FORMS: dict[str, tuple[str, ...]] = {
    "e-mail": (
        "Write to me: [{low}.{lowlast}@gmail.com].",
        "my email is [{low}{D}{D}@yahoo.co.uk]",
        "You can answer at <[{low}_{lowlast}@hotmail.com]>",
        "(email [{low[0]}{lowlast}@stateu.edu])",
        "E-mail:[{low}@{lowlast}family.net]",
        "[{low}+health@outlook.com] is the best way",
        "reply to [{low}.{lowlast}@hospital.nhs.uk] please",
        "contact [{low} [at] {lowlast} [dot] com]",
        "[{low}.{lowlast} at gmail dot com] is mine",
        "my address is [{low}.{lowlast}(at)web.de]",
        "mailto:[{up}.{uplast}@AOL.COM]",
        "write '[{low}-{lowlast}@example.org]' please",
    ),
    "phone": (
        "Call me at [{d}{D}{D}-{d}{D}{D}-{D}{D}{D}{D}].",
        "my cell is [({d}{D}{D}) {d}{D}{D}-{D}{D}{D}{D}]",
        "Phone [{d}{D}{D}.{d}{D}{D}.{D}{D}{D}{D}] after six",
        "you can ring [+44 20 7946 0{D}{D}{D}]",
        "reach my wife on [+49 (0)30 {D}{D}{D}{D} {D}{D}{D}{D}]",
        "text [{d}{D}{D} {d}{D}{D} {D}{D}{D}{D}] any time",
        "Tel: [{d}1{D}{d}{D}{D}{D}{D}{D}{D}]",
        "my number is [1-{d}1{D}-{d}{D}{D}-{D}{D}{D}{D}]",
        "home phone ([{d}{D}{D}-{D}{D}{D}{D}])",
        "mobile [07{D}{D}{D} {d}{D}{D}{D}{D}{D}]",
        "[+1 {d}1{D} {d}{D}{D} {D}{D}{D}{D}] is where I am in the day",
        "my work line is [({d}{D}{D}){d}{D}{D}-{D}{D}{D}{D} ext. {d}{D}]",
        "[+33 6 {d}{D} {D}{D} {D}{D} {D}{D}] works too",
        "WhatsApp [+91 9{D}{D}{D}{D} {D}{D}{D}{D}{D}]",
        "({d}{D}{D})-{d}{D}{D}-{D}{D}{D}{D}",
    ),
    "ssn": (
        "my SSN is [{s}-{d}{D}-{d}{D}{D}{D}]",
        "Social Security number: [{s}-{d}{D}-{d}{D}{D}{D}]",
        "my social is [{s}-{d}{D}-{d}{D}{D}{D}]",
        "SSN [{s}{d}{D}{d}{D}{D}{D}]",
        "soc. sec. no. [{s} {d}{D} {d}{D}{D}{D}]",
        "([{s}-{d}{D}-{d}{D}{D}{D}])",
        "SS# [{s}-{d}{D}-{d}{D}{D}{D}]",
        "social security card number [{s}.{d}{D}.{d}{D}{D}{D}]",
        "on the form I wrote [{s}–{d}{D}–{d}{D}{D}{D}]",
        "my ssn: [{s} {d}{D} {d}{D}{D}{D}].",
        "Social Security # is [{s}{d}{D}{d}{D}{D}{D}]",
    ),
    "mrn": (
        "MRN: [{d}{D}{D}{D}{D}{D}{D}]",
        "my medical record number is [{d}{D}{D}{D}-{D}{D}{D}]",
        "MRN [A{d}{D}{D}{D}{D}{D}]",
        "Patient ID [PT-{d}{D}{D}{D}{D}]",
        "my insurance policy number is [{last3}{d}{D}{D}{D}{D}{D}{D}]",
        "Member ID# [W{d}{D}{D}{D}{D}{D}{D}{D}{D}]",
        "health insurance no. [{d}{D}{D} {D}{D}{D} {D}{D}{D}]",
        "Medicare number [1EG{d}-TE{d}-MK{D}{D}]",
        "NHS number [{d}{D}{D} {D}{D}{D} {D}{D}{D}{D}]",
        "chart # [{d}{D}{D}{D}{D}]",
        "my hospital number at Saint Mary is [{d}{D}{D}{D}{D}{D}]",
        "I am patient number [{d}{D}{D}{D}{D}{D}]",
        "Medicaid id: [{last3}-{d}{D}{D}{D}{D}{D}]",
        "(med rec no [{d}{D}{D}{D}{D}{D}{D}])",
    ),
    "birth date": (
        "DOB [{mm}/{dd}/{y}]",
        "my date of birth is [{month} {day}, {y}]",
        "I was born on [{day} {month} {y}]",
        "born [{mm}-{dd}-{y}]",
        "Date of birth: [{y}-{mm}-{dd}]",
        "D.O.B. [{dd}.{mm}.{y}]",
        "my birthday is [{mon}. {day}, {y}]",
        "I was born in Leeds on the [{day}th of {month} {y}]",
        "(dob: [{dd}-{mon}-{y}])",
        "birthdate = [{m}/{day}/{yy}]",
        "DOB (mm/dd/yyyy): [{mm}/{dd}/{y}]",
        "I was born the [{day}th day of {month}, {y}]",
    ),
    "name": (
        "My name is [{first} {last}].",
        "My doctor is [Dr. {last}].",
        "I saw [Dr {first} {last}] about it.",
        "[Mr. {first} {last}] is my neighbour.",
        "My son [{first}] has it too.",
        "my husband's name is [{first}]",
        "I'm [{first} {last}] from Leeds.",
        "The nurse, [Mrs. {last}], told me so.",
        "[Prof. {first} {initial}. {last}] operated on me.",
        "My daughter, [{first}], is four.",
        "Sincerely, [{first} {last}]",
        "Kind regards\n[{first} {initial}. {last}]",
        "Thank you, [{first}]",
        "my name is [{low}] and i am worried",
        "I asked [doctor {last}] twice.",
        "Yours truly, [Ms. {last}]",
        "hi, [{first}] here, I need help",
    ),
    "address": (
        "I live at [{d}{D} Oak Street].",
        "My address is [{d}{D}{D} N. Maple Ave, Apt 4B, Springfield, IL 62704]",
        "Send it to [{d} {last} Road, Leeds]",
        "our house, [{d}{D}{D}{D} East Main St., Dayton, OH 45402]",
        "I moved to [{d}{D} 5th Avenue]",
        "Mail me: [{d}{D} Sunset Blvd., Unit {d}]",
        "I am at [{d}{D}{D} {last} Lane, Austin TX 78701]",
        "we live in [{d}{D} High Street, Oxford]",
        "my home is [{d}{D}{D} County Hwy 12]",
        "P.O. Box {d}{D}{D} and [{d}{D} Elm Court]",
    ),
}  # fmt: skip
# Written after the patterns were done; nothing was mended on them.
HELD_OUT: dict[str, tuple[str, ...]] = {
    "e-mail": (
        "you reach me under [{low}.{lowlast}{D}{D}@proton.me]",
        "gmail: [{lowlast}.{low}@gmail.com]",
        "My e-mail is [{low}@{lowlast}.co.uk]; thanks",
        "[{low} AT gmail DOT com]",
        "[{low}.{lowlast}@gmail,com] is mine",
        "it is [{low} @ {lowlast}.com]",
    ),
    "phone": (
        "I am at [{d}1{D}-{d}{D}{D}-{D}{D}{D}{D} x4{D}]",
        "phone no. is [0{d}1 {D}{D}{D} {D}{D}{D}{D}]",
        "[+1({d}1{D}){d}{D}{D}-{D}{D}{D}{D}] in the morning",
        "my number [({d}1{D}) {d}{D}{D}{D}{D}{D}{D}]",
        "[{d}1{D}/{d}{D}{D}-{D}{D}{D}{D}] is best",
        "give me a ring: [{d}1{D}{d}{D}{D}{D}{D}{D}{D}]",
        "in Sydney [+61 4{D}{D} {D}{D}{D} {D}{D}{D}]",
    ),
    "ssn": (
        "my social security is [{s}-{d}{D}-{d}{D}{D}{D}]",
        "SSN=[{s}-{d}{D}-{d}{D}{D}{D}]",
        "social: [{s}{d}{D}{d}{D}{D}{D}]",
        "ss number [{s} {d}{D} {d}{D}{D}{D}]",
        "ID ([{s}-{d}{D}-{d}{D}{D}{D}])",
        "Soc Sec Num [{s}{d}{D}{d}{D}{D}{D}]",
    ),
    "mrn": (
        "Medical Record Number (MRN): [{d}{D}{D}{D}{D}{D}{D}]",
        "record no [{d}{D}{D}{D}{D}{D}]",
        "account number [{d}{D}{D}{D}{D}{D}{D}{D}]",
        "my Kaiser number is [{d}{D}{D}{D}{D}{D}{D}{D}]",
        "hospital id: [H-{d}{D}{D}{D}{D}]",
        "my insurance # [{last3}{d}{D}{D}{D}{D}{D}]",
        "chart no. [{d}{D}-{D}{D}-{D}{D}]",
    ),
    "birth date": (
        "birthday: [{month} {day}, {y}]",
        "DOB-[{m}/{day}/{y}]",
        "I was born [{dd}/{mm}/{y}]",
        "date of birth is [{y}/{mm}/{dd}]",
        "Born: [{day} {mon} {y}]",
        "b. [{dd}.{mm}.{y}]",
        "I came into the world on [{month} {day}, {y}]",
    ),
    "name": (
        "I'm [{first}], 34 years old.",
        "my wife, [{first} {last}], was there",
        "signed, [{first} {last}]",
        "[{first} {last}], age 54, with gout.",
        "My name's [{first}]",
        "I am under [Dr.{last}]'s care",
        "this is [{first} {last}] again",
        "my friend [{first}] told me",
        "I was sent by [Professor {last}]",
    ),
    "address": (
        "I stay at [{d}{D}{D} W 45th St, New York, NY 10036]",
        "write to [{d}{D} Church Rd, London]",
        "Flat 2, [{d}{D} Park Road]",
        "we rent [{d}{D}{D}{D} NW Cedar Blvd]",
        "my place, [{d} Kings Court]",
        "I live in [{d}{D} rue de la Paix]",
    ),
}  # fmt: skip
PROSE = (
    "I have had type 2 diabetes for six years.", "My knee hurts when I climb stairs.",
    "I take 500 mg of metformin twice a day.",
    "Last week my blood pressure was 142/91.", "I am 54 years old and worried.", "Should I see a specialist?",
    "It began after my second pregnancy.", "My test in 2019 showed an HbA1c of 7.4.", "I read about it on the Internet.",
    "Nobody could tell me what causes it.",
)  # fmt: skip
LOOK_ALIKES = (
    "For information call the Arthritis Foundation at 1-{d}{D}{D}-{d}{D}{D}-{D}{D}{D}{D} or visit www.arthritis.org.",
    "The toll-free number is 800-{d}{D}{D}-{D}{D}{D}{D} (TTY: 866-{d}{D}{D}-{D}{D}{D}{D}).",
    "Write to info@heartgroup.org, contact-us@clinic.com or nihinfo@mail.nih.gov.",
    "The trial NCT0{D}{D}{D}{D}{D}{D}{D} (PMID {d}{D}{D}{D}{D}{D}{D}{D}) enrolled {d}{D}{D} patients.",
    "Mutations of the BRCA1 and SH3BP2 genes (OMIM {d}{D}{D}{D}{D}{D}) are known; ICD-10 code E11.{D}, CAS number 50-78-2.",
    "The institute is at Bethesda, MD 2{D}{D}{D}2-3{D}{D}{D}.",
    "Take {d}00 to {d}{D}00 mg daily; {d}{D}{D} {d}{D} tablets per 1,000,000 units were sold in 2012-2015.",
    "My doctor says it is Dr. Down's syndrome or perhaps Crohn's disease, and I have type I diabetes too.",
    "Is it Dr. Crohn's disease and the Dr. Smith test?",
    "I saw the doctor. Then my nurse. Both told me to wait until Monday.",
    "People born on or after October 1, 1995 should ask. Babies born before 37 weeks are preterm.",
    "He was born on June 14, 1864 and died in 1915. The study began on 03/04/2011.",
    "The patient number fell from 1200 to 800. The policy number of cases rose to 123456 in the group.",
    "Your medical record number is on your card. Ask for your insurance ID number and your date of birth.",
    "What is my GFR? Questions to Ask My Doctor. Should I take aspirin? You and your family can decide.",
    "I thank everyone. My mother has Alzheimer disease, my father Parkinson disease.",
    "The group was 000-{d}{D}-{d}{D}{D}{D}, 666-{d}{D}-{d}{D}{D}{D}, 9{D}{D}-{d}{D}-{d}{D}{D}{D} or 123-00-4567.",
    "Results were 12.5 13.1 14.8 (p < 0.05); ISBN 978-0-{d}{D}{D}-{d}{D}{D}{D}{D}-{D}; doi 10.1016/j.cell.2010.01.{D}{D}{D}.",
    "Contact 3 people at 10 to 12 weeks. Call your doctor within 24 to 48 hours. Text line opens 2019-01-05.",
    "I am African American and my friend is Jewish. I am Type O. Thanks, Everyone",
    "A sample of 250 300 1200 cells was taken at 37 C.",
)  # fmt: skip


def fill(form: str, rng: random.Random) -> str:
    """``form`` with its braces replaced at random."""
    first, last, month = rng.choice(FIRST), rng.choice(LAST), rng.randrange(1, 13)
    day, year = rng.randrange(4, 21), rng.randrange(1925, 2020)  # 4th to 20th: "th" is right
    plain = (
        "".join(c for c in first.lower() if c.isascii()),
        "".join(c for c in last.lower() if c.isalpha() and c.isascii()),
    )
    while "{d}" in form or "{D}" in form:
        form = form.replace("{d}", str(rng.randrange(2, 10)), 1) if "{d}" in form else form
        form = form.replace("{D}", str(rng.randrange(10)), 1) if "{D}" in form else form
    return form.format(
        first=first, last=last, low=plain[0], lowlast=plain[1], up=plain[0].title(), uplast=plain[1].title(),
        last3=plain[1][:3].upper(), initial=rng.choice("ABJKM"), s=f"{rng.randrange(1, 666):03d}", month=MONTHS[month - 1],
        mon=MONTHS[month - 1][:3], m=month, mm=f"{month:02d}", day=day, dd=f"{day:02d}", y=year, yy=f"{year % 100:02d}",
    )  # fmt: skip


def plant(form: str, rng: random.Random) -> tuple[str, int, int]:
    """A letter, and the span of the item planted in it: what stands in the outermost brackets of ``form``."""
    item = fill(form, rng)
    first, last = item.find("["), item.rfind("]")
    if first < 0:
        first, last, item = 0, len(item) + 1, f"[{item}]"
    before = " ".join(rng.sample(PROSE, rng.randrange(1, 5))) + " "
    # A signature ends a letter; anything else ends its sentence, if nothing else ends it.
    item += "" if item.endswith(".") or item.endswith(".]") else "."
    after = (
        ""
        if form.startswith(("Sinc", "Kind", "Thank", "Yours"))
        else " " + " ".join(rng.sample(PROSE, rng.randrange(1, 5)))
    )
    start = len(before) + first
    return before + item[:first] + item[first + 1 : last] + item[last + 1 :] + after, start, start + last - first - 1
