"""Sentence frames of ``finetune.augment``, written for this project. ``{t}`` is a topic's name, ``{s}`` a list of symptoms.

The order matters: every fourth frame of a list is held out from training.
"""

ASPECT_FRAMES: dict[str, tuple[str, ...]] = {
    "information": (
        "can you tell me about {t}?", "what exactly is {t}?", "I'd like to understand {t} better.",
        "could someone explain {t} in simple words?", "what does {t} mean?", "what kind of illness is {t}?",
        "where can I read up on {t}?", "what should I know about {t}?", "is {t} something serious?",
        "what happens in the body with {t}?", "please give me some facts on {t}.", "how would you describe {t}?",
    ),
    "symptoms": (
        "how do I know if I have {t}?", "what does {t} feel like?", "what are the warning signs of {t}?",
        "how would I notice {t}?", "which problems does {t} bring?", "what signs should I look out for with {t}?",
        "does {t} hurt or show in some way?", "what complaints do patients with {t} usually have?",
        "how does {t} affect a person?", "is there anything that tells you it is {t}?",
        "what are the first signs of {t}?", "what would a doctor see in somebody with {t}?",
    ),
    "treatment": (
        "is there a cure for {t}?", "how is {t} treated?", "what can be done about {t}?",
        "which medicine helps against {t}?", "what do doctors give for {t}?", "can {t} be cured?",
        "what are my options for dealing with {t}?", "does {t} need an operation or are pills enough?",
        "how do you get rid of {t}?", "what is the best therapy for {t}?", "what drugs are used for {t}?",
        "is there any help for people with {t}?",
    ),
    "inheritance": (
        "can {t} be passed on to children?", "does {t} run in families?", "is {t} genetic?",
        "will my kids get {t}?", "is {t} something you are born with from your parents?",
        "how is {t} passed down?", "what is the chance that a child inherits {t}?", "is {t} hereditary?",
        "if one parent carries {t}, what about the baby?", "do both parents have to carry the gene for {t}?",
    ),
    "frequency": (
        "how common is {t}?", "how rare is {t}?", "how many people get {t}?", "does {t} occur often?",
        "am I the only one with {t}?", "what share of the population has {t}?", "how often does {t} happen?",
        "is {t} a rare disease?", "how many cases of {t} are there?",
    ),
    "genetic changes": (
        "which gene is behind {t}?", "what mutation leads to {t}?", "is there a gene for {t}?",
        "what goes wrong in the DNA in {t}?", "which genes are involved in {t}?",
        "what genetic defect do people with {t} have?", "which chromosome is affected in {t}?",
        "do we know the genetics of {t}?",
    ),
    "causes": (
        "why do people get {t}?", "where does {t} come from?", "what brings on {t}?",
        "what is the reason for {t}?", "how does somebody get {t}?", "what triggers {t}?",
        "what could have led to {t}?", "how did I end up with {t}?", "is {t} caused by a virus or something else?",
    ),
    "exams and tests": (
        "how can I find out whether it is {t}?", "what tests are there for {t}?", "how do doctors confirm {t}?",
        "is there a blood test for {t}?", "how is {t} detected?", "which examinations are needed for {t}?",
        "how do they check for {t}?", "can a scan show {t}?", "how sure is the diagnosis of {t}?",
    ),
    "research": (
        "are there any new studies on {t}?", "is anybody working on {t}?", "what is new in {t} research?",
        "are there trials for {t} that I could join?", "what are scientists finding out about {t}?",
        "is a new treatment for {t} being developed?", "which institutes study {t}?",
        "how far is the research on {t}?",
    ),
    "outlook": (
        "what is the life expectancy with {t}?", "how will {t} develop over time?", "does {t} get worse?",
        "can you live a normal life with {t}?", "what is the prognosis of {t}?", "do people recover from {t}?",
        "how long do people live with {t}?", "is {t} fatal?", "what does the future look like with {t}?",
    ),
    "susceptibility": (
        "who gets {t}?", "am I likely to get {t}?", "what raises the risk of {t}?",
        "which people are more likely to develop {t}?", "does age matter for {t}?", "who should worry about {t}?",
        "are men or women more affected by {t}?", "what are risk factors for {t}?",
    ),
    "considerations": (
        "what should I eat with {t}?", "how do I live with {t} day to day?", "what should people with {t} keep in mind?",
        "what can I do myself about {t}?", "which foods should I avoid with {t}?", "any advice on coping with {t}?",
        "what diet is right for {t}?", "is there something I should change because of {t}?",
    ),
    "prevention": (
        "how can I avoid {t}?", "can {t} be prevented?", "what protects against {t}?",
        "how do I keep from getting {t}?", "is there a vaccine against {t}?", "what lowers the risk of {t}?",
        "how do I make sure my family does not get {t}?", "what can I do so that I never get {t}?",
    ),
    "stages": (
        "how far along can {t} be?", "what stages does {t} have?", "what do the stages of {t} mean?",
        "how is {t} staged?", "which phases does {t} go through?", "what is an advanced stage of {t}?",
        "how do they tell the stage of {t}?", "when is {t} called early?",
    ),
    "complications": (
        "what can go wrong with {t}?", "what other problems can {t} lead to?", "is {t} dangerous if it is not treated?",
        "what are the long-term effects of {t}?", "can {t} damage other organs?", "what happens if {t} is ignored?",
        "what complications come with {t}?", "what are the dangers of {t}?",
    ),
}  # fmt: skip
"""Question type -> questions about it."""

KEYWORDS: dict[str, tuple[str, ...]] = {
    "information": ("{t}", "{t} info", "{t} explained", "{t} overview", "about {t}", "{t} definition"),
    "symptoms": ("{t} symptoms", "signs of {t}", "{t} signs", "symptoms {t}", "{t} how does it feel", "early {t} symptoms"),
    "treatment": ("{t} treatment", "{t} cure", "{t} medication", "treating {t}", "{t} therapy options", "drugs for {t}"),
    "inheritance": ("{t} hereditary", "{t} inheritance", "{t} genetic risk children", "inheriting {t}", "{t} runs in family"),
    "frequency": ("{t} how common", "{t} prevalence", "{t} rare", "{t} incidence", "{t} number of cases"),
    "genetic changes": ("{t} gene", "{t} mutation", "{t} genetics", "gene for {t}", "{t} chromosome"),
    "causes": ("{t} causes", "cause of {t}", "{t} why", "reason for {t}", "{t} trigger"),
    "exams and tests": ("{t} test", "{t} diagnosis", "diagnosing {t}", "{t} blood test", "{t} screening"),
    "research": ("{t} research", "{t} clinical trials", "{t} new studies", "{t} trials", "latest research {t}"),
    "outlook": ("{t} prognosis", "{t} life expectancy", "{t} survival", "{t} outlook", "living with {t} long term"),
    "susceptibility": ("{t} risk factors", "who gets {t}", "{t} risk", "{t} at risk", "{t} more likely"),
    "considerations": ("{t} diet", "{t} food to avoid", "living with {t}", "{t} nutrition", "{t} self care"),
    "prevention": ("{t} prevention", "prevent {t}", "{t} vaccine", "avoiding {t}", "{t} protection"),
    "stages": ("{t} stages", "{t} staging", "stage of {t}", "{t} stage meaning", "early {t} stage"),
    "complications": ("{t} complications", "{t} long term effects", "{t} dangers", "untreated {t}", "{t} side effects"),
}  # fmt: skip
"""Question type -> what is typed into a search box."""

STORIES = (
    "My mother has {t}.", "I was diagnosed with {t} last month.", "My son was just told he has {t}.",
    "A friend of mine suffers from {t}.", "My doctor mentioned {t} and I could not ask more.",
    "I am 34 years old and they think I have {t}.", "My husband has had {t} for years.",
    "Our baby might have {t}.", "I read about {t} on the internet and now I am worried.",
    "My grandfather died of {t}.", "My sister is being checked for {t}.", "I have been living with {t} since childhood.",
    "We just came back from the hospital and the word was {t}.", "I am pregnant and there is {t} in my family.",
    "My daughter, 7, has {t} and nobody explains anything to us.", "They found {t} when I went in for something else.",
)  # fmt: skip
"""What people tell before they ask."""

SYMPTOM_FRAMES = (
    "I have {s}. What could this be?", "My child has {s}. What illness is that?", "What disease causes {s}?",
    "For some weeks now I have noticed {s}. Should I be worried?", "{s}: which condition is this?",
    "What is it called when someone has {s}?", "My brother has {s} and no doctor knows why.",
    "is there a disorder with {s}", "The doctors found {s}. What could be behind it?", "why would someone have {s}?",
    "Does anyone know what {s} together point to?", "I keep having {s}, what do I have?",
)  # fmt: skip
"""Symptoms without a name."""

GREETINGS = (
    "Hello,", "Hi there!", "Good morning.", "Dear doctor,", "Hello, I hope you can help me.", "Hi, I have a question.",
    "To whom it may concern:", "Hey all,", "Good evening, sorry for the long message.", "Hi doc,",
)  # fmt: skip

THANKS = (
    "Thank you.", "Thanks in advance!", "Any information would help.", "Please answer soon, I am worried.",
    "Thank you so much for your time.", "I would be grateful for any advice.", "Thx", "Kind regards, and thank you.",
    "Hope to hear from you.", "Many thanks from a worried parent.",
)  # fmt: skip

ABBREVIATIONS = {
    "diagnosed": "dx'd", "diagnosis": "dx", "diagnose": "dx", "symptoms": "sx", "treatment": "tx", "treatments": "tx",
    "history": "hx", "doctor": "dr", "please": "pls", "thanks": "thx", "because": "bc", "with": "w/", "without": "w/o",
    "you": "u", "are": "r", "people": "ppl", "about": "abt", "information": "info", "years": "yrs", "medicine": "meds",
    "months": "mos", "weeks": "wks", "disease": "dz", "condition": "cond", "before": "b4", "what": "wat",
}  # fmt: skip
"""Texting and clinicians' shorthand."""
