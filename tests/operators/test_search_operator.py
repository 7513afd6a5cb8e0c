"""``lgca_search``: a run's vectors for FiftyOne's search and Embeddings panel, from the form and from code."""

import pytest

import lgca_plugin as lgca
from tests.helpers.app.operators import SEARCH
from tests.helpers.app.results import assert_readable
from tests.helpers.runs import add_images, classified


@pytest.fixture(scope="module")
def module_run(module_store, demo_images, demo_encoder):
    import fiftyone as fo

    assert module_store.is_dir()
    dataset = add_images(fo.Dataset(), demo_images)
    regions = lgca.RegionConfig(crops=4, steps=1)
    yield classified(dataset, demo_encoder, regions=regions, methods=("clip", "wca", "lgca", "wca_d"))
    dataset.delete()


@pytest.fixture
def dataset(module_run):
    yield module_run.dataset
    module_run.dataset.delete_brain_runs()


def dialog_of(messages):
    return str(next(message.params for message in messages if message.operator_uri == "show_output"))


def test_search__is_made_as_the_form_is_and_replaced_by_the_next(dataset):
    fields, errors = SEARCH.form(dataset)
    assert not errors
    values = [choice.value for choice in fields["similarity_method_of_zs"].view.choices]
    assert values == ["lgca", "wca", "clip"]
    messages = SEARCH.run(dataset, **SEARCH.filled(dataset))
    assert dataset.list_brain_runs(type="similarity") == ["zs_search"]
    assert dataset.get_brain_info("zs_search").config.lgca_method == "lgca"
    panels = [message.params["name"] for message in messages if message.operator_uri == "open_panel"]
    assert panels == ["similarity_search_panel"] and "Type words" in dialog_of(messages)
    assert len(dataset.sort_by_similarity("a heron", k=3, brain_key="zs_search")) == 3
    assert SEARCH.form(dataset)[0]["replaces"].view.label == "Replaces 'zs_search' of this run"
    SEARCH.run(dataset, **SEARCH.filled(dataset, similarity_method_of_zs="clip"))
    assert dataset.get_brain_info("zs_search").config.lgca_method == "clip"


def test_map__is_made_of_any_method(dataset):
    values = [
        choice.value
        for choice in SEARCH.form(dataset, kind="visualization")[0]["visualization_method_of_zs"].view.choices
    ]
    assert values == ["lgca", "wca", "clip", "wca_d"]
    messages = SEARCH.run(dataset, **SEARCH.filled(dataset, kind="visualization", projection="pca"))
    assert dataset.list_brain_runs(type="visualization") == ["zs_map"]
    assert [message.params["name"] for message in messages if message.operator_uri == "open_panel"] == ["Embeddings"]


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"similarity_key_of_zs": "two words"}, "similarity_key_of_zs", "letters, digits and _"),
        ({"similarity_key_of_zs": "zs_map"}, "similarity_key_of_zs", "belongs to something else"),
        ({"run": "gone"}, "run", "gone"),
    ],
)
def test_form__bad_input_is_shown_under_its_field(dataset, module_run, params, field, words):
    module_run.visualize("zs_map", projection="pca")
    found = SEARCH.errors(dataset, **params)
    assert list(found) == [field] and words in found[field]


def test_code__makes_it_and_refuses_what_depends_on_the_classes(dataset):
    found = SEARCH.execute(dataset, run="zs", brain_key="by_code", method="wca")
    done = assert_readable(SEARCH, dataset, found)
    assert (done["brain_key"], dataset.list_brain_runs(lgca_method="wca")) == ("by_code", ["by_code"])
    for given in ({"method": "wca_d"}, {"run": 7}):
        with pytest.raises(Exception, match=r"must (be one of|name)"):
            SEARCH.execute(dataset, **{"run": "zs", **given})
    assert len(SEARCH.call(dataset, "zs", brain_key="called").result["how"]) == 2


def test_form__of_a_run_that_has_encoded_nothing_says_so(dataset):
    run = lgca.Run.of(lgca.triage(dataset, "ground_truth", predictions=["zs_clip"], progress=False).run)
    try:
        assert "has encoded no picture" in SEARCH.errors(dataset, run=run.key)["run"]
        with pytest.raises(lgca.ConfigError, match="no image was encoded for it"):
            run.similarity("none")
    finally:
        run.delete()
