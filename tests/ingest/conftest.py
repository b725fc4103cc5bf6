import pytest

from .page_report import full_report


@pytest.fixture
def drawn():
    """Ask for it where the report's plots matter."""


@pytest.fixture(autouse=True)
def undrawn(request, monkeypatch):
    """Drawing the plots takes longer than all the rest of ingest on these small files; one test in a hundred needs it."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("ingest.writing.to_html", lambda report: f"<p>{report['rows']['kept']}</p>")


@pytest.fixture
def report():
    """A report with every key, to be changed at will."""
    return full_report()
