"""What the evaluation builds and shares; building, encoder and index are recorded instead of run."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from eval import pipelines as module
from eval.pipelines import Pipelines
from eval.recipe import cell_key, system_inputs
from eval.systems import systems_of
from ingest.corpus import Corpus
from medqa.paths import locate
from medqa.records import Hit, Passage, QAPair
from medqa.settings import Settings

PAIRS = tuple(
    QAPair(f"p{n}", f"Q{n}?", f"A{n}.", split="test" if n < 4 else "validation" if n < 6 else "train")
    for n in range(20)
)
ASKED = PAIRS[:2]
SETTINGS = Settings.model_validate(
    {
        "seed": 3,
        "retrieval": {"encoder": "first", "store": "milvus", "uri": "here", "exact_up_to": 7, "recall": 0.5},
        "eval": {
            "variants": ["extractive"],
            "systems": [
                {"name": "other", "variant": "extractive", "retrieval": {"encoder": "other"}, "threshold": 0.9},
                {"name": "rrf", "variant": "extractive", "retrieval": {"fusion": "rrf"}},
            ],
        },
    }
)


class FakeIndex:
    manifest = {"calibration": {"threshold": 0.42}}  # noqa: RUF012

    def __init__(self):
        self.searched = 0

    def search(self, questions, k, unit, ranking=None):
        self.searched += 1
        return [[Hit(Passage("x", "p9", "T", ()), 1.0)] for _ in questions]


@pytest.fixture
def built(monkeypatch):
    calls = []

    def build(pairs, fingerprint, folder, encoder, **more):
        calls.append(SimpleNamespace(pairs=pairs, fingerprint=fingerprint, folder=folder, encoder=encoder, **more))

    monkeypatch.setattr(module, "build_index", build)
    monkeypatch.setattr(module, "load_encoder", lambda name, *rest: SimpleNamespace(fingerprint=name))
    monkeypatch.setattr(module, "load_ranking", lambda options, encoder: options.fusion)
    indexes = {}
    monkeypatch.setattr(module.Index, "open", lambda folder, encoder: indexes.setdefault(folder, FakeIndex()))
    return calls


@pytest.fixture
def made():
    return Pipelines(Corpus(PAIRS, "content"), ASKED, Path("indexes"), systems_of(SETTINGS), SETTINGS)


def test_the_store_of_the_settings_is_built_once_per_index(built, made):
    plain, _, rrf = systems_of(SETTINGS)
    made.index("held-out", plain)
    made.index("held-out", rrf)  # ranks otherwise, over the same index
    [call] = built
    assert (call.storage.kind, call.storage.uri, call.storage.exact_up_to, call.storage.recall) == (
        "milvus",
        "here",
        7,
        0.5,
    )
    assert (call.folder, call.splits, call.header, call.seed) == (
        Path("indexes/held-out"),
        ("train",),
        "topic+synonyms",
        3,
    )
    assert call.share[:2] == [Path("indexes/open-book"), Path("indexes/random-split")]
    assert call.share[2:] == [locate(Settings().index)]  # the run's own index, where its texts are the same
    assert call.fingerprint == "content"


def test_another_encoder_has_indexes_of_its_own(built, made):
    plain, other, _ = systems_of(SETTINGS)
    made.index("open-book", plain)
    made.index("open-book", other)
    assert [call.encoder.fingerprint for call in built] == ["first", "other"]
    assert built[1].folder.name.startswith("open-book-")
    assert built[1].folder != built[0].folder


def test_the_bar_is_calibrated_open_book_unless_a_system_has_its_own(built, made):
    plain, other, _ = systems_of(SETTINGS)
    assert made.pipeline("held-out", plain).threshold == 0.42
    assert {call.folder.name for call in built} == {"held-out", "open-book"}
    assert made.threshold(other) == 0.9
    assert made.pipeline("none", plain).searcher is None


def test_the_random_split_leaks_what_is_not_asked_and_is_another_index(built, made):
    [plain, *_] = systems_of(SETTINGS)
    made.index("random-split", plain)
    [call] = built
    assert call.fingerprint != "content"
    train = {p.id for p in call.pairs if p.split == "train"}
    assert train == made.held("random-split")
    assert len(train) == len(made.held("held-out")) == 14
    assert not train & {p.id for p in ASKED}
    assert train & {"p2", "p3", "p4", "p5"}
    assert made.held("open-book") == {p.id for p in PAIRS}


def test_rankings_are_made_once_per_retriever(built, made):
    plain, _, rrf = systems_of(SETTINGS)
    assert made.retrieved("held-out", plain) == [["p9"], ["p9"]]
    made.retrieved("held-out", plain)
    assert made.index("held-out", plain).searched == 1
    made.retrieved("held-out", rrf)
    assert made.index("held-out", plain).searched == 2
    assert made.load_seconds("held-out", plain).keys() == {"encoder", "index", "ranking"}
    assert made.load_seconds("none", plain) == {}


def test_a_cells_key_follows_what_decides_its_answers_and_nothing_else():
    [plain, *_] = systems_of(SETTINGS)

    def key(index="held-out", inputs=None, **changes):
        changed = SETTINGS.model_copy(update=changes)
        return cell_key(index, systems_of(changed)[0], inputs or {"corpus": "a"})

    assert key() == cell_key("held-out", plain, {"corpus": "a"})
    assert key(eval=SETTINGS.eval.model_copy(update={"bootstrap": 999, "out": "x"})) == key()
    assert key(generator=SETTINGS.generator.model_copy(update={"adapter": "x"})) == key()  # extractive has none
    different = [
        key("open-book"),
        key(inputs={"corpus": "b"}),
        key(seed=4),
        key(rag=SETTINGS.rag.model_copy(update={"passages": 1})),
        key(retrieval=SETTINGS.retrieval.model_copy(update={"fusion": "rrf"})),
        key(eval=SETTINGS.eval.model_copy(update={"header": "topic"})),
    ]
    assert len({key(), *different}) == 7
    assert key("none", retrieval=SETTINGS.retrieval.model_copy(update={"fusion": "rrf"})) == key("none")


def test_a_cells_inputs_name_the_aspects_where_they_are_used(monkeypatch, tmp_path):
    [plain, *_] = systems_of(SETTINGS)
    pipelines = SimpleNamespace(encoder=lambda system: SimpleNamespace(fingerprint="e"))
    (tmp_path / "manifest.json").write_text("one")
    monkeypatch.setattr("eval.recipe.aspects_folder", lambda name: tmp_path)
    monkeypatch.setattr("eval.recipe.load_aspects", lambda name, encoder: "some")
    first = system_inputs("held-out", plain, pipelines)["aspects"]
    (tmp_path / "manifest.json").write_text("fitted anew")
    assert system_inputs("held-out", plain, pipelines)["aspects"] != first
    assert "aspects" not in system_inputs("none", plain, pipelines)
    monkeypatch.setattr("eval.recipe.load_aspects", lambda name, encoder: None)  # another encoder's
    assert "aspects" not in system_inputs("held-out", plain, pipelines)
