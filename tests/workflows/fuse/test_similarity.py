"""Search in a fused run, against the sum of its encoders' scores, and what it learns from captions."""

from typing import Any

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.captions import CLASS_PLACE_FORMS
from lgca_plugin.demo.classes import CLASSES, indefinite
from lgca_plugin.method.core.scores import normalize
from lgca_plugin.runs.fused.opening import load_fusion, open_fused
from lgca_plugin.store.store import Store
from lgca_plugin.workflows.similarity.similarity import Similarity
from tests.helpers.fusion.fused_birds import fused

TEXT = "a bird with a red beak."


def image_parts(run):
    """Sample id to each encoder's image vector, times how much the encoder counts, by weights that have not seen it."""
    with Store() as store:
        opened = open_fused(store, run)
        found = {}
        for ids, nodes in opened.read(run.dataset.values("id")):
            for rows, answers in opened.answers(ids, nodes):
                for at, row in enumerate(rows):
                    factors = answers.factors * [own.logit_scale for own in answers.classes]
                    found[ids[row]] = [(factor, of[at]) for factor, of in zip(factors, answers.images, strict=True)]
    return found


def scores_of(run, texts):
    """Sample id to how well a text fits, of its vector by each encoder."""
    return {
        id_: sum(factor * own @ text for (factor, own), text in zip(parts, texts, strict=True))
        for id_, parts in image_parts(run).items()
    }


@pytest.fixture(scope="module")
def searched(birds, fused_store):
    """The dataset with a run ``sum``, too, which has learnt nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(fused_store))
        fused([lgca.load_run(birds, key) for key in ("one", "two")], run_key="sum")
    return birds


@pytest.mark.parametrize("key", ["sum", "fused"])
def test_images__are_found_by_the_sum_of_the_encoders_scores(searched, encoders, key):
    run = lgca.load_run(searched, key)
    scores = scores_of(run, [encoder.encode_texts([TEXT])[0] for encoder in encoders])
    search = run.similarity(encoder=list(encoders), progress=False)
    found = search.images(TEXT, k=7).values("id")
    assert found == sorted(scores, key=lambda id_: -scores[id_])[:7]
    assert search.images(f" {TEXT}\n", k=99).values("id") == sorted(scores, key=lambda id_: -scores[id_])
    streamed = Similarity(run, encoder=list(encoders), progress=False, memory_bytes=0)
    assert streamed.images(TEXT, k=7).values("id") == streamed.images(TEXT, k=7).values("id") == found
    assert search.scores(TEXT, k=7) == pytest.approx({id_: scores[id_] for id_ in found}, abs=1e-3)
    assert list(search.scores(TEXT, k=7)) == found


def test_sentences__of_a_text_count_as_much_as_the_whole(birds, encoders):
    text = f"{TEXT} a beach."
    parts = [encoder.encode_texts([text, TEXT, "a beach."]).astype(float).mean(axis=0) for encoder in encoders]
    run = lgca.load_run(birds, "fused")
    scores = scores_of(run, [normalize(part) for part in parts])
    found = run.similarity(encoder=encoders, progress=False).images(text, k=5).values("id")
    assert found == sorted(scores, key=lambda id_: -scores[id_])[:5]


def test_captions__of_an_image_are_those_that_fit_best(birds, encoders):
    run, texts = lgca.load_run(birds, "fused"), [TEXT, "a beach.", "a blue tit."]
    id_ = next(id_ for id_ in birds.values("id") if birds[id_]["fused_hada"]["fold"] == 1)
    found = run.similarity(encoder=encoders, progress=False).captions(id_, texts)
    expected = {text: scores_of(run, [encoder.encode_texts([text])[0] for encoder in encoders])[id_] for text in texts}
    assert [text for text, _ in found] == sorted(texts, key=lambda text: -expected[text])
    assert dict(found) == pytest.approx(expected, abs=1e-3)


def test_samples_like__one_are_those_of_which_all_encoders_see_the_same(searched):
    birds = searched.clone()
    run = lgca.load_run(birds, "sum")
    parts = image_parts(run)
    first = birds.first().id
    scores = {
        id_: sum(factor * own @ other for (factor, own), (_, other) in zip(of, parts[first], strict=True))
        for id_, of in parts.items()
    }
    expected = sorted(scores, key=lambda id_: -scores[id_])
    assert expected[0] == first
    search = run.similarity(progress=False)  # texts are not needed, so no encoder is
    assert search.samples_like(first, k=4).values("id") == expected[1:5]
    assert search.scores_like(first, k=4) == pytest.approx({id_: scores[id_] for id_ in expected[1:5]}, abs=1e-3)
    index = run.similarity("own")  # by the vectors of its first encoder alone
    assert index.total_index_size == len(birds) and len(index.sort_by_similarity(TEXT, k=3)) == 3
    birds.delete_samples([expected[1]])
    assert search.samples_like(first, k=4).values("id") == expected[2:6]
    birds.delete()


def test_search__learns_from_captions_and_answers_by_weights_that_have_not_seen_an_image(searched, runs, encoders):
    birds = searched
    texts = [CLASS_PLACE_FORMS[0].format(a_k=indefinite(CLASSES[at % 12]), where="in a forest") for at in range(32)]
    birds.set_values("caption", texts)
    run = fused(runs, captions="caption", run_key="told", encoder=encoders)
    assert run.summary()["fusion"]["captions"]["captions"] == 32
    labels = [birds.values(f"{key}_hada.label") for key in ("sum", "told")]
    assert labels[0] == labels[1]
    for loaded in (lgca.load_run(birds, "told"), run.rescore(CLASSES[:5], run_key="fewer")):
        with Store() as store:
            captions = load_fusion(store, loaded).captions
        assert captions is not None and set(captions.fold_of) == set(birds.values("id"))
        search = loaded.similarity(encoder=encoders, progress=False)
        assert len(search.images("a bird in a forest.", k=3)) == 3
        id_ = birds.first().id
        by_fold = dict(search.captions(id_, texts[:4]))
    assert set(by_fold) == set(texts[:4])


def test_captions__may_be_lists_or_given_for_some_samples(birds, runs, encoders):
    ids = birds.values("id")
    birds.set_values("several", [[TEXT, f"a bird {at}.", " "] if at else None for at in range(32)])
    found = fused(runs, captions="several", run_key="lists", encoder=encoders).summary()["fusion"]["captions"]
    assert (found["captions"], found["images"]) == (62, 31)
    few = fused(runs, captions={ids[0]: TEXT, "f" * 24: [TEXT]}, run_key="few", encoder=encoders)
    assert "captions" not in few.summary()["fusion"]
    assert any("1 image has some, and at least 30" in warning for warning in few.summary()["warnings"])
    assert any("of 1 sample that is not in the fused run" in warning for warning in few.summary()["warnings"])
    assert few.similarity(encoder=encoders, progress=False).images(TEXT, k=2).values("id")


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ("nothing", "has no field 'nothing'"),
        ("given", "holds no texts"),
        (7, "must name a field of texts"),
        ({"a": 3}, "a text or a list of texts"),
        ({"a": "half \ud800"}, "half a character"),
        ({"a" * 24: TEXT}, "none of the 32 samples has a caption given"),
        ("blank", "none of the 32 samples has a caption in 'blank'"),
    ],
)
def test_captions__that_can_not_be_learnt_from_are_refused(birds, runs, captions, message):
    birds.set_values("blank", [" "] * 32)
    before = lgca.list_runs(birds)
    with pytest.raises(lgca.ConfigError, match=message):
        fused(runs, captions=captions, run_key="refused")
    assert lgca.list_runs(birds) == before


def test_search__says_what_is_wrong(birds, runs, encoders):
    with pytest.raises(lgca.ConfigError, match="run 'one' is not fused"):
        runs[0].similarity()
    search = lgca.load_run(birds, "fused").similarity(encoder=encoders, progress=False)
    wrong: tuple[Any, ...] = ("", "  ", None, 3)
    for text in wrong:
        with pytest.raises(lgca.ConfigError, match="must have words"):
            search.images(text)
    numbers: tuple[Any, ...] = (0, -1, 2.5, True)
    for k in numbers:
        with pytest.raises(lgca.ConfigError, match="k must be a whole number"):
            search.images(TEXT, k=k)
    assert str(search).startswith("<Search in run 'fused' on ")
    lists: tuple[tuple[Any, str], ...] = (([], "texts is empty"), (None, "texts must be a list"), (3, "must be a list"))
    for texts, words in (*lists, (["half \ud800"], "half a character")):
        with pytest.raises(lgca.ConfigError, match=words):
            search.captions(birds.first().id, texts)
    for id_ in ("f" * 24, "nonsense"):
        with pytest.raises(lgca.ConfigError, match="has no stored embeddings"):
            search.samples_like(id_)
    with pytest.raises(lgca.ConfigError, match="encoder of your own"):
        lgca.load_run(birds, "fused").similarity(progress=False).images("a new text in a forest.")
    published = fused(runs, "given", anchored=False, run_key="published", steps=(2,))
    with pytest.raises(lgca.ConfigError, match="fused again with captions"):
        published.similarity(encoder=encoders, progress=False).images(TEXT)
