"""The accuracy benchmark: its answers are the library's, a stopped run goes on, and images stay paired."""

import json

import numpy as np
import pytest

import lgca_plugin as lgca
from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.answers import FORMER, answer, every_method
from benchmarks.accuracy.drawn import draw
from benchmarks.accuracy.encoding import encode, plan_of
from benchmarks.accuracy.image_sets import ATTRIBUTES, NAMED, of_drawings, of_folder
from benchmarks.accuracy.mixes import MIXES, OUTSIDE
from benchmarks.accuracy.results import Condition, Results
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS, PLUMAGE
from lgca_plugin.descriptions.style import names_class
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.method.comparison.paired import compare
from lgca_plugin.prediction.predictor import Predictor

SCALE = (0.5, 0.9)
COUNT = 6


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("accuracy")


@pytest.fixture(scope="module")
def drawings(kept):
    """One drawing of each of six classes, in a folder by class, and a file that is no image among them."""
    folder = draw("easy", 5, COUNT, kept / "drawn")
    (folder / CLASSES[0] / "broken.jpg").write_bytes(b"no image")
    return of_drawings(folder, "easy", 5)


@pytest.fixture(scope="module")
def encoder():
    return lgca.load_encoder("demo")


@pytest.fixture(scope="module")
def encoded(kept, drawings, encoder):
    return encode(drawings.files, encoder, SCALE, kept / "arrays", name="drawings", images_in_part=3)


def test_answers__are_those_of_the_librarys_own_runs(drawings, encoder, encoded):
    texts, methods = drawings.texts()[NAMED], every_method()
    found = answer(encoded, len(drawings.files), texts, encoder, methods)
    predictor = Predictor(tuple(methods.values()), texts, encoder, encoded.plan, shown_chains=0)
    images = list(encode_images(enumerate(drawings.files), encoder=encoder, plan=encoded.plan))
    read = [image for image in images if not hasattr(image, "reason")]
    assert found.seen.tolist() == [not hasattr(image, "reason") for image in images]
    assert found.seen.sum() == COUNT
    for image, prediction in zip(read, predictor.predict(read), strict=True):
        for name in methods:
            expected = prediction.methods[name].logits
            assert expected is not None
            np.testing.assert_allclose(found.logits[name][image.id], expected, atol=1e-3)


def test_regions__have_their_sides(encoded):
    part = next(encoded.read(100))
    side = part["pixels"] / part["shorter"][:, None]
    crops = part["step"] == 0
    assert (side[crops] > SCALE[0] - 0.01).all() and (side[crops] < SCALE[1] + 0.01).all()
    assert side[~crops].mean() > side[crops].mean()
    assert part["vectors"].shape[1] == plan_of(SCALE).encodes_per_image


def test_encoding__goes_on_where_it_was_stopped(drawings, encoder, encoded, kept, capsys):
    before = [part.stat().st_mtime_ns for part in encoded.parts]
    first = np.load(encoded.parts[1])["vectors"]
    encoded.parts[1].unlink()
    again = encode(drawings.files, encoder, SCALE, kept / "arrays", name="drawings", images_in_part=3)
    after = [part.stat().st_mtime_ns for part in again.parts]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    assert np.array_equal(np.load(again.parts[1])["vectors"], first)
    assert capsys.readouterr().err.count("images") == 1


def test_encoding__leaves_the_embeddings_of_other_images_alone(drawings, encoder, encoded, kept):
    before = [part.stat().st_mtime_ns for part in encoded.parts]
    with pytest.raises(SystemExit, match="embeddings of other images"):
        encode(drawings.files[1:], encoder, SCALE, kept / "arrays", name="others", images_in_part=3)
    assert [part.stat().st_mtime_ns for part in encoded.parts] == before


def test_texts__without_names_mention_no_class_and_have_every_part(drawings):
    texts = drawings.texts()
    assert texts[NAMED].descriptions == {name: tuple(DESCRIPTIONS[name]) for name in drawings.classes}
    for name, own in texts[ATTRIBUTES].descriptions.items():
        assert not any(names_class(name, text) for text in own)
        assert all(value in " ".join(own) for value in PLUMAGE[name].values())


def test_command__prints_lines_and_tables_of_a_folder_by_class(drawings, tmp_path, capsys):
    descriptions = tmp_path / "birds.json"
    descriptions.write_text(json.dumps(DESCRIPTIONS))
    folder = drawings.files[0].parent.parent
    asked = ["--images", str(folder), "--descriptions", str(descriptions), "--encoders", "demo", "--limit", "4"]
    kept = ["--folder", str(tmp_path / "kept")]
    assert main([*asked, "--scales", "0.5-0.9", "0.1-0.3", *kept]) == 0
    first = capsys.readouterr()
    lines = [json.loads(line) for line in first.out.splitlines() if line.startswith("{")]
    answers = [line for line in lines if line["benchmark"] == "accuracy"]
    methods = every_method()
    assert {(line["texts"], tuple(line["scale"]), line["method"]) for line in answers} == {
        (kind, scale, name) for kind in (NAMED, ATTRIBUTES) for scale in ((0.5, 0.9), (0.1, 0.3)) for name in methods
    }
    assert {line["n"] for line in answers} == {4}
    assert f"| `{FORMER}` |" in first.out and "minus" in first.out
    main([*asked, "--scales", "0.5-0.9", "0.1-0.3", *kept])
    again = capsys.readouterr()
    assert (again.out, again.err) == (first.out, "")


def test_folder__class_names_take_the_spelling_of_the_descriptions(tmp_path):
    for name in ("001.Black_footed_Albatross", "002.Blue_Jay"):
        (tmp_path / "birds" / name).mkdir(parents=True)
        (tmp_path / "birds" / name / "1.jpg").write_bytes(b"")
    described = {"Black-footed Albatross": ["a hooked bill"], "Blue Jay": ["a blue crest"]}
    found = of_folder(tmp_path / "birds", descriptions=described)
    assert found.classes == ("Black-footed Albatross", "Blue Jay")
    assert found.truth.tolist() == [0, 1]
    assert found.texts()[NAMED].descriptions["Blue Jay"] == ("Blue Jay, which has a blue crest.",)
    assert found.texts()[ATTRIBUTES].descriptions["Blue Jay"] == ("a blue crest",)


def noted(rng, conditions, *, unseen=()):
    """Results of two methods in which every image is right with a probability of its own, so that answers go along."""
    results, hard = Results(), rng.random(400)
    for condition in conditions:
        for name, lead in (("a", 0.15), ("b", 0.0)):
            right = rng.random(400) < np.clip(hard + lead, 0, 1)
            seen = np.ones(400, bool)
            seen[list(unseen)] = False
            results.note(condition, "set", name, right=right, seen=seen)
    return results


ONE = Condition("set", "model", NAMED, (0.5, 0.9))
TWO = (ONE, ONE._replace(scale=(0.1, 0.3)), ONE._replace(texts=ATTRIBUTES))


def test_difference__in_one_condition_is_the_paired_comparison():
    results = noted(np.random.default_rng(1), [ONE], unseen=(3, 7))
    found = results.difference([ONE], "a", "b")
    flags = {name: results.flags(ONE, "set", name) for name in ("b", "a")}
    (expected,) = compare(flags)
    assert found.n == 398
    assert found.difference == pytest.approx(expected.difference)
    assert (found.low, found.high) == pytest.approx(expected.interval)


def test_difference__over_conditions_resamples_images_and_not_answers():
    rng = np.random.default_rng(2)
    results = noted(rng, TWO)
    found = results.difference(TWO, "a", "b")
    apart = np.mean(
        [results.flags(one, "set", "a").astype(float) - results.flags(one, "set", "b") for one in TWO], axis=0
    )
    draws = apart[rng.integers(0, 400, (20_000, 400))].mean(axis=1)
    assert found.difference == pytest.approx(apart.mean())
    assert (found.low, found.high) == pytest.approx(np.quantile(draws, (0.025, 0.975)), abs=0.004)


@pytest.mark.thorough
def test_command__measures_drawings_with_both_models(tmp_path, capsys):
    assert main(["--folder", str(tmp_path), "--limit", "12", "--scales", "0.5-0.9", "0.1-0.3"]) == 0
    out = capsys.readouterr().out
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    answers = [line for line in lines if line["benchmark"] == "accuracy"]
    top1 = {
        (line["encoder"], line["method"]): line["top1"]
        for line in answers
        if line["group"] == "easy" and line["texts"] == NAMED and line["scale"] == [0.5, 0.9]
    }
    assert {(tuple(line["scale"]), line["n"]) for line in answers} == {((0.5, 0.9), 24), ((0.1, 0.3), 12)}
    assert top1["demo", "wca"] > 0.6
    assert {line["mix"] for line in lines if "mix" in line} == {*MIXES, OUTSIDE}
    assert "mean of all" in out
