"""When a prediction is typed: the rule's values on tables worked out by hand."""

import json

import numpy as np
import pytest

from seqclr.decision import COST, DEFAULT, PRIOR, Decision, accepts, choose_threshold, one_retry, seen_lengths
from seqclr.errors import UserError


def logit(p):
    return np.log(p / (1 - p))


def test_without_labels_it_is_of_the_estimated_accuracy():
    confidences = [0.9, 0.7, 0.8]
    assert choose_threshold(confidences, 0.8) == pytest.approx(0.8 - COST)  # the confidence is right
    assert choose_threshold([0.9] * 3, 0.6) == pytest.approx(
        1 / (1 + np.exp(logit(0.6) - logit(0.55) - logit(0.9))), abs=1e-4
    )
    assert choose_threshold(confidences, 0.7) > 0.8 - COST > choose_threshold(confidences, 0.9)
    assert choose_threshold([0.02, 0.03], 0.025) == 0.0  # no refusal pays
    assert choose_threshold([], 0.5) == choose_threshold([], []) == DEFAULT


def test_labels_move_it_by_the_offset_of_the_highest_posterior():
    correct = [True] * 5 + [False] * 5  # all of confidence 0.9
    grid = np.linspace(-logit(0.9), 0, 200_001)  # between the maximum likelihood (p = 0.5) and the prior (p = 0.9)
    p = 1 / (1 + np.exp(-(logit(0.9) + grid)))
    posterior = 5 * np.log(p) + 5 * np.log(1 - p) - grid**2 / (2 * PRIOR**2)
    best = grid[posterior.argmax()]
    mean = 1 / (1 + np.exp(-(logit(0.9) + best)))
    expected = 1 / (1 + np.exp(-(logit(mean - COST) - best)))
    assert choose_threshold([0.9] * 10, correct) == pytest.approx(expected, abs=1e-4)


def test_labels_do_nothing_where_the_confidence_is_right_and_much_where_it_is_wrong():
    confidences = [0.9] * 10 + [0.5] * 10
    right = [True] * 9 + [False] + [True] * 5 + [False] * 5
    assert choose_threshold(confidences, right) == pytest.approx(choose_threshold(confidences, 0.7), abs=1e-4)
    halved = [True, False] * 5 + [True] + [False] * 9  # the reader is too sure
    few, many = (choose_threshold(confidences * n, halved * n) for n in (1, 50))
    assert choose_threshold(confidences, 0.7) < few < many
    assert choose_threshold(confidences * 50, [False] * 1000) == 0.0  # never right: another image is not better


def test_extreme_confidences_are_finite():
    assert choose_threshold([1.0] * 4, [True] * 4) == pytest.approx(1 - COST, abs=2e-3)
    assert 0 <= choose_threshold([0.0, 1.0], [True, False]) <= 1


def test_one_retry_is_an_expectation_over_the_other_images():
    # accepted: one right, one wrong; refused: one wrong (others: 2 of 3 right), one right (others: 1 of 3)
    accuracy, refused = one_retry([True, False, False, True], [True, True, False, False])
    assert accuracy == pytest.approx((1 + 0 + 2 / 3 + 1 / 3) / 4) and refused == 0.5


def test_one_retry_is_the_mean_over_draws():
    rng = np.random.default_rng(0)
    correct, accepted = rng.random(7) < 0.6, rng.random(7) < 0.5
    pairs = [(i, j) for i in range(7) for j in range(7) if i != j]
    mean = np.mean([correct[i] if accepted[i] else correct[j] for i, j in pairs])
    assert one_retry(correct, accepted) == pytest.approx((mean, 1 - accepted.mean()))


@pytest.mark.parametrize(
    ("texts", "lengths"),
    [
        (["abcd"] * 5 + ["abcde"] * 2, (4, 5)),
        (["abcd"] * 19 + ["abcde"], (4, 5)),  # one in twenty has a length of its own
        (["abcd"] * 18 + ["abcde"], None),  # more than one in twenty: others may come
        (["a" * length for length in range(30, 60)], None),  # lines
        (["ab", ""], None),
        (["ab", "ba", ""], (2,)),
        ([], None),
    ],
)
def test_seen_lengths(texts, lengths):
    assert seen_lengths(texts) == lengths


@pytest.mark.parametrize("right", [True, False])
def test_of_a_single_image_there_is_no_other(right):
    assert one_retry([right], [False]) == (float(right), 1.0)


@pytest.mark.parametrize(
    ("text", "confidence", "threshold", "lengths", "accepted"),
    [
        ("abcd", 0.8, 0.8, None, True),
        ("abcd", 0.7999, 0.8, None, False),
        ("abcd", 1.0, 0.8, (5, 6), False),
        ("abcd", 0.9, 0.8, (4,), True),
        ("", 1.0, 0.0, None, False),
        ("abcd", DEFAULT, None, None, True),
        ("abcd", DEFAULT - 0.01, None, (4,), False),
    ],
)
def test_accepts(text, confidence, threshold, lengths, accepted):
    assert accepts(text, confidence, threshold, lengths) is accepted


def test_a_decision_is_kept_in_its_file(tmp_path):
    file = tmp_path / "decision.json"
    assert Decision.load(file) == Decision() == Decision(None, None, 0, 0)
    for decision in (Decision(0.8123, (4, 5), 300, 20), Decision(0.5, None, 7)):
        decision.save(file)
        assert Decision.load(file) == decision
    assert json.loads(file.read_text()) == {"threshold": 0.5, "lengths": None, "images": 7, "labelled": 0}


OUTSIDE = '{"threshold": 1.5, "lengths": null, "images": 1, "labelled": 0}'


@pytest.mark.parametrize(
    "content",
    [OUTSIDE, OUTSIDE.replace("1.5", "NaN"), "", "[]", '{"threshold": "high"}', '{"threshold": 0.8}', '{"lengths": 4}'],
)
def test_a_damaged_decision_is_named(tmp_path, content):
    (tmp_path / "decision.json").write_text(content)
    with pytest.raises(UserError, match=r"decision.json is damaged .*delete it"):
        Decision.load(tmp_path / "decision.json")
