"""The sentences of an evaluation: what the numbers of a comparison allow to say."""

import pytest

from lgca_plugin.method.comparison.evaluation import Evaluation, MethodScore
from lgca_plugin.method.comparison.paired import Comparison, difference_interval

WORDS = [
    ((30, 10), 0.002, 0.004, "lgca is better than clip by 8.8 points (3.5 to 14.0)"),
    ((10, 30), 0.00005, 0.0001009, "lgca is worse than clip by 8.8 points (3.5 to 14.0)"),
    (
        (21, 9),
        0.043,
        0.128,
        "lgca may be better than clip by 5.3 points (0.4 to 10.1); in 3 comparisons that can be chance",
    ),
    ((12, 11), 1.0, 1.0, "lgca and clip: no difference that these 228 images can show (-3.9 to +4.8 points)"),
    ((0, 0), 1.0, 1.0, "lgca and clip: no difference that these 228 images can show (-1.3 to +1.3 points)"),
]
PLAIN = [
    "lgca is right more often than clip, by 8.8 percentage points; unlikely to be chance, 1 in 250.",
    "lgca is right less often than clip, by 8.8 percentage points; unlikely to be chance, 1 in 9,900.",
    "lgca is right more often than clip, by 5.3 percentage points; the difference could be chance.",
    "lgca is right more often than clip, by 0.4 percentage points; the difference could be chance.",
    "lgca and clip are right equally often.",
]


@pytest.mark.parametrize(
    ("counts", "p", "p_holm", "words", "plain"), [(*row, plain) for row, plain in zip(WORDS, PLAIN, strict=True)]
)
def test_words__say_what_the_numbers_allow(counts, p, p_holm, words, plain):
    only_a, only_b = counts
    pair = Comparison(
        a="lgca",
        b="clip",
        only_a=only_a,
        only_b=only_b,
        difference=(only_a - only_b) / 228,
        interval=difference_interval(only_a, only_b, 228),
        p=p,
        p_holm=p_holm,
    )
    score = MethodScore(eval_key="k", correct=1, accuracy=1 / 228, interval=(0.0, 0.1), macro_recall=0.5)
    found = Evaluation(
        run_key="zs",
        ground_truth="gt",
        samples=228,
        excluded={},
        confidence=0.95,
        methods={"clip": score, "lgca": score},
        pairs=(pair,) * 3,
    )
    assert found.sentence(pair) == words
    assert words in str(found)
    assert found.plain_sentence(pair) == plain
