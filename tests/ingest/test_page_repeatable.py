"""The HTML report has the same bytes again, and drawing it leaves nothing behind."""

import hashlib
import json
import os
import subprocess
import sys

from ingest.page import to_html
from ingest.plots import figures
from medqa.paths import PROJECT


def test_the_same_report_gives_the_same_bytes_in_any_process(report, html, tmp_path):
    """Another hash seed, another day, another folder, and a matplotlibrc that wants it all different."""
    (tmp_path / "matplotlibrc").write_text("axes.linewidth: 5\nsvg.fonttype: path\nxtick.major.size: 9\n")
    (tmp_path / "report.json").write_text(json.dumps(report))
    script = (
        "import hashlib, json, sys; from ingest.page import to_html;"
        "print(hashlib.sha256(to_html(json.load(open('report.json'))).encode()).hexdigest())"
    )
    assert to_html(report) == html
    expected = hashlib.sha256(html.encode()).hexdigest()
    for seed in ("0", "1"):
        variables = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(PROJECT), "SOURCE_DATE_EPOCH": seed}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


def test_drawing_leaves_the_settings_of_matplotlib_alone(report):
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures(report)
    to_html(report)
    assert dict(matplotlib.rcParams) == before


def test_importing_the_page_does_not_import_matplotlib():
    script = "import sys, ingest.page; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
