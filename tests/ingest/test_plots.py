"""The report's plots: what is drawn is what the report says."""

from ingest.page_tables import bands
from ingest.plots import figures, shares, top_and_rest
from medqa.records import SPLITS


def bars(axes):
    """Widths of the bars by series, in the order of the labels."""
    return {
        container.get_label(): [round(patch.get_width(), 9) for patch in container] for container in axes.containers
    }


def test_the_plots_hold_the_data(report):
    drawn = figures(report)
    panels = drawn["certificate"].axes
    assert [axes.get_title(loc="left") for axes in panels] == [
        "test and train",
        "validation and train",
        "test and validation",
    ]
    assert bars(panels[0]) == {"this split": [0, 0, 0, 0], "random split of the same sizes": [61, 1362, 806, 2724]}
    assert bars(panels[2])["random split of the same sizes"] == [6, 199, 91, 337]
    numbers = [text.get_text() for text in panels[0].texts]
    assert numbers == ["0", "0", "0", "0", "61", "1,362", "806", "2,724"]
    assert all(axes.get_xlim()[1] > 2724 for axes in panels)

    (axes,) = drawn["types"].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["symptoms", "causes"]
    assert bars(axes) == {"train": [0.5, 0.5], "validation": [0.25, 0.75], "test": [0.5, 0.5]}
    assert axes.yaxis_inverted()  # the first on top

    (axes,) = drawn["drops"].axes
    assert list(bars(axes).values()) == [[3, 7]]
    (axes,) = drawn["topics"].axes
    assert list(bars(axes).values()) == [[40, 31]]

    (axes,) = drawn["answers"].axes
    lines = {patch.get_label(): patch.get_data() for patch in axes.patches}
    assert lines["train"].values.tolist() == [0.1, 0.5, 0.4]
    assert lines["test"].values.tolist() == [1, 0, 0]
    assert lines["test"].edges.tolist() == [1, 10, 100, 1000]
    assert (axes.get_xscale(), axes.get_xlim()) == ("symlog", (1, 1000))
    assert drawn["questions"].axes[0].get_xscale() == "linear"

    (axes,) = drawn["groups"].axes
    assert axes.lines[0].get_xydata().tolist() == [[1, 310], [2, 60], [4, 12], [5, 34], [300, 1]]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_lengths_are_drawn_from_the_first_interval_with_rows_to_the_last(report):
    report["lengths"]["question"] = {
        "edges": [0, 2, 4, 6, 8, 40, 100],
        "train": [0, 0, 1, 0, 0, 0],
        "validation": [0, 1, 1, 0, 0, 0],
        "test": [0, 0, 0, 1, 0, 0],
    }
    (axes,) = figures(report)["questions"].axes
    assert (axes.get_xscale(), axes.get_xlim()) == ("linear", (2, 8))
    report["lengths"]["question"]["test"][0] = report["lengths"]["question"]["test"][5] = 1
    (axes,) = figures(report)["questions"].axes
    assert (axes.get_xscale(), axes.get_xlim()) == ("symlog", (1, 100))


def test_missing_counts_are_no_data_and_not_zero(report):
    report["certificate"]["split"]["test/train"]["pairs_sharing_topic"] = None
    axes = figures(report)["certificate"].axes[0]
    assert [text.get_text() for text in axes.texts][:4] == ["0", "0", "no data", "0"]


def test_long_tables_of_categories_end_in_a_rest():
    table = {f"t{i:02}": {"train": 100 - i, "validation": 1, "test": 2} for i in range(18)}
    rows = top_and_rest(table, 15)
    assert len(rows) == 16
    assert rows["3 others"] == {"train": 85 + 84 + 83, "validation": 3, "test": 6}
    assert sum(c["train"] for c in rows.values()) == sum(c["train"] for c in table.values())
    assert list(top_and_rest(dict(list(table.items())[:16]), 15)) == [f"t{i:02}" for i in range(16)]
    assert set(top_and_rest({"": dict.fromkeys(SPLITS, 1)}, 15)) == {"(none)"}


def test_shares_and_bands():
    assert shares([1, 3]) == [0.25, 0.75]
    assert shares([0, 0]) is None
    assert bands({"1": 310, "2": 60, "4": 12, "5": 34, "1001": 2, "300": 1}) == [
        ("1", 310, 310),
        ("2", 60, 120),
        ("3 to 5", 46, 48 + 170),
        ("101 to 1,000", 1, 300),
        ("over 1,000", 2, 2002),
    ]


def test_labels_stay_within_the_figure(report):
    """With matplotlib's own font, which is a wide one: no label of any plot is cut."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    report["by_type"] = {"How many people are affected by": {"train": 1, "validation": 1, "test": 1}}
    for name, figure in figures(report).items():
        FigureCanvasAgg(figure).draw()
        box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert box.x0 >= 0, name
        assert box.y0 >= 0, name
        assert box.x1 <= width, name
        assert box.y1 <= height, name
