"""Where a panel opens: beside the grid, in a share that leaves room for the grid, and as a tab beside another panel."""

import fiftyone as fo
import fiftyone.operators as foo
import pytest

from tests.helpers.app.operators import context

COMPARE, REVIEW = "@lgca/zero-shot/lgca_open_compare", "@lgca/zero-shot/lgca_open_review"


def grid():
    samples = fo.Panel(type="Samples", pinned=True)
    return fo.Space(children=[samples], active_child=samples.component_id)


def opened(dataset, uri, spaces):
    """What an operator sends to an App with such spaces: the operators' names, and the parameters of the last."""
    ctx = context(dataset, uri=uri, spaces=None if spaces is None else spaces.to_dict())
    foo.get_operator(uri).execute(ctx)
    sent = ctx.executor.to_json()["requests"]
    return [one["operator_uri"] for one in sent], sent[-1]["params"]


def test_open__beside_the_grid_leaves_it_the_larger_share(dataset):
    before = grid()
    names, params = opened(dataset, COMPARE, before)
    assert names == ["@lgca/zero-shot/lgca_make_room", "set_spaces"]
    split = fo.Space.from_dict(params["spaces"])
    assert (split.orientation, split.sizes) == ("horizontal", [0.6, 0.4])
    assert [half.children[0].type for half in split.children] == ["Samples", "lgca_compare"]
    assert [half.active_child for half in split.children] == [half.children[0].component_id for half in split.children]
    assert split.children[0].children[0].component_id == before.children[0].component_id

    names, params = opened(dataset, REVIEW, split)  # as one more tab
    both = fo.Space.from_dict(params["spaces"])
    assert names == ["set_spaces"]
    assert [panel.type for panel in both.children[1].children] == ["lgca_compare", "lgca_review"]
    assert both.children[1].active_child == both.children[1].children[1].component_id
    assert both.sizes == [0.6, 0.4]

    names, params = opened(dataset, COMPARE, both)  # brought to the front
    assert (names, params["name"]) == (["open_panel"], "lgca_compare")


@pytest.mark.parametrize("arranged", ["nothing known", "a tab of the user's", "above each other"])
def test_open__leaves_an_arrangement_of_the_users_own_to_fiftyone(dataset, arranged):
    spaces = None
    if arranged == "a tab of the user's":
        spaces = grid()
        spaces.children.append(fo.Panel(type="Histograms"))
    elif arranged == "above each other":
        spaces = fo.Space(children=[grid(), fo.Space(children=[fo.Panel(type="Map")])], orientation="vertical")
    names, params = opened(dataset, COMPARE, spaces)
    assert names == ["open_panel"]
    assert params["name"] == "lgca_compare"
