"""Triage cases: every pattern of three predictions and a label, against the sentences that define them."""

import itertools

import numpy as np

from lgca_plugin.method.labels.triage_cases import OF_VOTES, WITH_LABEL, WITHOUT_LABEL, Case, changes, triage_cases

CLASSES = range(4)  # enough for three different answers, none of them the label


def slow_case(clip, wca, lgca, truth, crop_case, outside):
    """The documented list, sentence by sentence."""
    if outside:
        return "label outside the classes"
    if truth < 0:
        if clip == wca == lgca:
            return "all agree"
        if wca == lgca:
            return "CLIP differs"
        if clip == wca:
            return "LGCA differs"
        if crop_case:
            return "WCA misled by crops"
        return "WCA differs" if clip == lgca else "all differ"
    if clip == wca == lgca:
        return "all right" if clip == truth else "all agree against the label"
    if truth not in (clip, wca, lgca):
        return "nobody right"
    if lgca == truth:
        if wca == truth:
            return "crops repair CLIP"
        return "WCA misled by crops, LGCA right" if crop_case else "LGCA repairs WCA"
    return "LGCA misled by expansion" if wca == truth else "crops mislead, CLIP right"


def possible():
    for clip, wca, lgca, truth, crop_case in itertools.product(CLASSES, CLASSES, CLASSES, [-1, *CLASSES], [0, 1]):
        if not (crop_case and wca == lgca):  # a misleading-crop case is a disagreement of the two
            yield clip, wca, lgca, truth, bool(crop_case), False
            if truth < 0:
                yield clip, wca, lgca, truth, bool(crop_case), True


def test_cases__every_pattern_gets_the_case_of_its_half_of_the_list():
    rows = list(possible())
    clip, wca, lgca, truth, crop_case, outside = (np.array(column) for column in zip(*rows, strict=True))
    found = triage_cases(clip, wca, lgca, truth, crop_case=crop_case, outside=outside)
    assert [case.value for case in found] == [slow_case(*row) for row in rows]
    labelled = (truth >= 0) | outside
    for half, applies in ((WITH_LABEL, labelled), (WITHOUT_LABEL, ~labelled)):
        assert {case for case, one in zip(found, applies, strict=True) if one} == set(half)
    assert {*WITH_LABEL, *WITHOUT_LABEL, *OF_VOTES} == set(Case)
    assert len({case.meaning for case in Case}) == len(Case)


def test_cases__no_samples():
    none = np.zeros(0, np.int64)
    assert triage_cases(none, none, none, none, crop_case=none > 0, outside=none > 0) == []


def test_changes__counts_repaired_and_broken_answers():
    truth = np.array([0, 0, 0, 0, 1, -1])
    before = np.array([0, 1, 1, 0, 2, 1])
    after = np.array([0, 0, 2, 1, 1, 0])
    assert changes(before, after, truth) == (2, 1)
