"""The pictures of the panel that compares methods: what they show, and that Plotly takes them."""

import json

import numpy as np
import plotly.graph_objects as go

from lgca_plugin.figures.compare import agreement_picture, flow_picture, margin_picture, shortened

LONG = "a class whose name is so long that no axis has room for it, $x^2$ <b>bold</b>"


def test_pictures__are_figures_with_nothing_that_plotly_reads_as_markup():
    counts, margins = np.array([[3, 1], [0, 2]]), np.array([0.1, 0.2])
    groups = [(LONG, np.array([0])), ("case", np.array([1]))]
    names = ("CLIP", "LGCA")
    for parts in (
        agreement_picture([(LONG, 3), ("Only CLIP differs", 1)]),
        flow_picture(["tern", LONG], counts, methods=names),
        margin_picture(margins, margins, groups, ids=["1", "2"], hover=[LONG, "b"], methods=names),
    ):
        shown = json.dumps(go.Figure(**parts).to_plotly_json(), default=str)
        assert "<b>" not in shown
        assert "$x" not in shown


def test_agreement__bars_are_the_counts_with_their_shares():
    parts = agreement_picture([("All agree", 800), ("Only CLIP differs", 199), ("All differ", 1)])
    (trace,) = parts["data"]
    assert trace["x"] == [800, 199, 1]
    assert trace["text"] == ["800 (80.0%)", "199 (19.9%)", "1 (0.1%)"]
    assert parts["layout"]["yaxis"]["ticktext"] == ["All agree", "Only CLIP differs", "All differ"]
    assert agreement_picture([("All agree", 0), ("All differ", 0)])["data"][0]["text"] == ["0 (0%)", "0 (0%)"]


def test_flow__tells_agreement_from_disagreement_and_writes_every_count_that_is_not_zero():
    counts = np.array([[50, 4, 0], [1, 30, 0], [0, 0, 0]])
    parts = flow_picture(["tern", "swan", LONG], counts, methods=("CLIP", "LGCA"))
    trace, numbers = parts["data"]
    shade = np.array(trace["z"])
    assert shade[0, 0] == -1 and shade[0, 1] == 1  # the most of each
    assert (np.sign(shade) == np.sign(counts) * np.where(np.eye(3, dtype=bool), -1, 1)).all()
    written = dict(zip(zip(numbers["y"], numbers["x"], strict=True), numbers["text"], strict=True))
    assert written == {(0, 0): "50", (0, 1): "4", (1, 0): "1", (1, 1): "30"}
    assert trace["hovertext"][0][1] == "CLIP says tern<br>LGCA says swan<br>4 samples"
    assert trace["hovertext"][1][0].endswith("1 sample")
    assert numbers["hoverinfo"] == "skip", "a click is meant for the cell below"
    assert "color" not in numbers["textfont"], "it takes the page's"
    assert all(len(name) <= 40 for name in parts["layout"]["xaxis"]["ticktext"])


def test_flow__numbers_fit_into_their_cells():
    counts = np.array([[9999, 10_499], [999_499, 50_720_000]])
    parts = flow_picture(["tern", "swan"], counts, methods=("CLIP", "LGCA"))
    assert parts["data"][1]["text"] == ["9,999", "10k", "999k", "50.7M"]
    assert parts["data"][0]["hovertext"][1][1].endswith("50,720,000 samples")


def test_flow__of_many_classes_ends_in_a_cell_of_disagreements():
    counts = np.array([[50, 4], [1, 8]])
    plain = flow_picture(["tern", "9 other classes"], counts, methods=("CLIP", "LGCA"))["data"][0]
    folded = flow_picture(["tern", "9 other classes"], counts, methods=("CLIP", "LGCA"), folded=True)["data"][0]
    assert plain["z"][1][1] < 0 < folded["z"][1][1] == 1
    assert folded["hovertext"][1][1] == "CLIP and LGCA give other classes,<br>and not the same one<br>8 samples"


def test_margins__every_point_is_where_its_sample_says_and_carries_its_id():
    x, y = np.array([0.1, 0.2, 0.3]), np.array([0.3, 0.2, 0.1])
    groups = [("all right", np.array([2])), ("nobody right", np.array([0, 1]))]
    parts = margin_picture(x, y, groups, ids=["a", "b", "c"], hover=["p\nq", "r", "s"], methods=("CLIP", "WCA"))
    first, second = parts["data"]
    assert (first["ids"], first["x"], first["y"]) == (["c"], [0.3], [0.1])
    assert (second["ids"], second["x"], second["y"]) == (["a", "b"], [0.1, 0.2], [0.3, 0.2])
    assert second["hovertext"] == ["p<br>q", "r"]
    assert parts["layout"]["dragmode"] == "lasso"


def test_shortened__cuts_a_long_name_in_its_middle():
    assert shortened("tern") == "tern"
    assert shortened("a class with a very long name indeed", 16) == "a class wi…ndeed"


def test_revision__changes_with_the_data_and_with_nothing_else():
    def revision(rows):
        return agreement_picture(rows)["layout"]["datarevision"]

    rows = [("All agree", 8), ("Only CLIP differs", 2)]
    assert revision(rows) == revision(list(rows))
    assert len({revision(rows), revision([("All agree", 8), ("Only CLIP differs", 3)]), revision(rows[:1])}) == 3
