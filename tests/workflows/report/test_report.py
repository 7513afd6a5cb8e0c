"""The report of a run on drawings with stored regions: one page without network or program, and the files beside it."""

import csv
from html.parser import HTMLParser

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.errors import ConfigError
from lgca_plugin.progress import Progress
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.report.report import DECISIONS, FILES, PAGE
from tests.helpers.worlds.birds import SMALL, bird_dataset, classify_birds

pytestmark = pytest.mark.usefixtures("module_store")

WILD = "<b>tern</b> & \u202ecompany"


class Page(HTMLParser):
    """The tags, addresses and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.cards, self._words = [], [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.addresses += [found[name] for name in ("src", "href") if name in found]
        self.cards += found.get("class") == "card"

    def handle_data(self, data):
        self._words.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self._words).split())


@pytest.fixture(scope="module")
def triaged(demo_encoder, demo_images, module_store):  # noqa: ARG001 (what is made here goes to the module's store)
    """A run on which every third label is wrong, one of them markup, and the file of one suspect is gone."""
    truths = [CLASSES.index(image.truth) for image in demo_images]
    labels = [CLASSES[(truth + (at % 3 == 0)) % len(CLASSES)] for at, truth in enumerate(truths)]
    labels[1] = WILD
    dataset = bird_dataset(demo_images, labels=labels)
    run = classify_birds(dataset, demo_encoder, run_key="zs", regions=SMALL, ground_truth="labels")
    run.triage(progress=False)
    yield run
    dataset.delete()


def report(run, folder, **options):
    return Page(run.report(folder, progress=False, **options).read_text(encoding="utf-8"))


def test_page__shows_every_suspect_and_needs_neither_network_nor_program(triaged, tmp_path):
    page, queue = report(triaged, tmp_path / "out"), triaged.last_triage().suspects()
    assert page.cards == len(queue) > 3
    for given, suggested in zip(*queue.values(["labels.label", "zs_suggestion.label"]), strict=True):
        assert f"{given} → {suggested}" in page.words
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in page.addresses)
    assert not {"script", "link", "iframe", "object", "b-tern"} & set(page.tags)
    assert WILD in page.words
    assert "Nobody has decided about them yet." in page.words
    assert f"{len(queue)} of " in page.words and "look wrong" in page.words


def test_page__says_what_was_changed_and_by_whom(triaged, tmp_path):
    triage = triaged.last_triage()
    first, second, third = triage.suspects().values("id")[:3]
    given = triaged.dataset[second]["labels"].label
    triage.decide(second, "accepted", label=CLASSES[5], by="Ann <3", note="a 'note'")
    triage.decide(third, "label right", by="Bob")
    triage.decide(first, "skipped", by="Bob")
    try:
        page = report(triaged, tmp_path)
    finally:
        for _ in range(3):
            triage.undo()
    assert "changed to “" + CLASSES[5] + "” by Ann <3" in page.words and "Note: a 'note'" in page.words
    assert "kept by Bob" in page.words and "can't tell by Bob" in page.words
    assert f"{given} {CLASSES[5]} 1" in page.words  # the table of changes
    assert "Bob 2 0" in page.words and "Ann <3 1 1" in page.words  # decisions, labels changed
    assert "3 of " in page.words and "1 labels were changed, 1 kept, 1 are bad images or can't be told" in page.words
    assert "How often they give the label in “ labels_corrected ”" in page.words
    with (tmp_path / DECISIONS).open(encoding="utf-8", newline="") as file:
        assert {row["by"] for row in csv.DictReader(file)} == {"Ann <3", "Bob"}


def test_page__has_the_crops_that_misled_as_they_grow(triaged, tmp_path):
    cases = triaged.dataset.exists("zs_misleading").sort_by("zs_misleading")
    assert len(cases) > 1
    page = report(triaged, tmp_path, max_suspects=0, max_cases=1)
    assert page.cards == 0 and page.words.count("of its crops it would say") == 1
    first = cases.match({"zs_misleading": cases.first()["zs_misleading"]})
    said = [f"WCA says “{one['zs_wca'].label}”; without {int(one['zs_misleading'])} of its crops" for one in first]
    assert any(sentence in page.words for sentence in said)
    assert "a misleading crop:" in page.words and "% of what misleads" in page.words
    assert f"1 of {len(cases)} are shown" in page.words


def test_accuracies_and_agreement__are_those_of_the_run(triaged, tmp_path):
    page, evaluation = report(triaged, tmp_path, max_suspects=1), triaged.evaluate("labels", progress=False)
    for score in evaluation.methods.values():
        low, high = score.interval
        assert f"{score.accuracy:.1%} ({low:.1%} to {high:.1%})" in page.words
    answers = zip(*triaged.dataset.values([f"zs_{name}.label" for name in ("clip", "wca", "lgca")]), strict=True)
    alike = sum(len(set(three)) == 1 for three in answers)
    assert f"All agree {alike} sample" in page.words
    assert f"1 of {len(triaged.last_triage().suspects())} are shown; suspects.csv has all of them" in page.words


def test_files__go_with_the_page_and_are_not_replaced_unasked(triaged, tmp_path):
    steps: list[Progress] = []
    path = triaged.report(tmp_path / "new" / "folder", max_suspects=2, progress=steps.append)
    assert {one.name for one in path.parent.iterdir()} == {PAGE, DECISIONS, *FILES}
    assert [step.done for step in steps] == sorted(step.done for step in steps) and len(steps) > 3
    with (path.parent / "suspects.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(triaged.last_triage().suspects())
    with pytest.raises(ConfigError, match="overwrite=True"):
        triaged.report(path.parent)
    path.write_text("old")
    assert triaged.report(path.parent, max_suspects=2, overwrite=True, progress=False).stat().st_size > 1000
    with pytest.raises(ConfigError, match="is a file"):
        triaged.report(path)
    with pytest.raises(ConfigError, match="max_suspects must be a whole number"):
        triaged.report(tmp_path / "more", max_suspects=-1)


def test_run_without_triage_and_with_a_file_that_is_gone__has_a_page(demo_encoder, demo_images, tmp_path):
    dataset = bird_dataset(demo_images[:4], labels=["goose", *CLASSES[:3]])  # a label that is no class is a suspect
    run = classify_birds(dataset, demo_encoder, run_key="zs", regions=SMALL)
    page = report(run, tmp_path / "bare")
    assert page.cards == 0 and "How often they agree" in page.words and "look wrong" not in page.words
    assert [one.name for one in (tmp_path / "bare").iterdir()] == [PAGE]
    run.triage("labels", progress=False)
    suspect = Triage.of(lgca.load_run(dataset, "zs")).suspects().first()
    suspect.filepath = str(tmp_path / "gone.jpg")
    suspect.save()
    page = report(lgca.load_run(dataset, "zs"), tmp_path / "full")
    assert "the image can't be read" in page.words and "gone.jpg" in page.words
    dataset.delete()
