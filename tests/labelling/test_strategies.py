"""What to label next, on made predictions and by the reader of the package."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from seqclr import readers
from seqclr.data.charset import Charset
from seqclr.data.images import read
from seqclr.data.knowledge import Known, Possible
from seqclr.errors import UserError
from seqclr.export.reader import load_reader
from seqclr.labelling import certainty, strategies
from seqclr.labelling.certainty import Alternative, ImagePrediction
from seqclr.runtime.folder import digest


def predicted(text: str, confidence: float = 0.9, other: str | None = None, **others: float) -> ImagePrediction:
    """others: the probability of the likeliest other character, `zto2=0.1`."""
    alternatives = {c: Alternative(c, "x", 0.001) for c in text}
    alternatives |= {key[0]: Alternative(key[0], key[-1], probability) for key, probability in others.items()}
    features = np.array([text.count(c) for c in "abcz2"], np.float32)
    second = text if other is None else other
    return ImagePrediction(text, confidence, second, confidence, (*alternatives.values(),), features=features)


POOL = [predicted("ab", 0.95), predicted("ab", 0.8), predicted("bc", 0.9, other="ac"), predicted("ab", 0.99)]


@pytest.mark.parametrize("strategy", strategies.STRATEGIES)
def test_every_image_without_a_label_is_in_the_order_once(strategy):
    assert sorted(strategies.order(strategy, POOL, [1], seed=3)) == [0, 2, 3]
    assert strategies.order(strategy, POOL, range(4)) == strategies.order(strategy, []) == []
    assert strategies.order(strategy, POOL, seed=1) == strategies.order(strategy, POOL, seed=1)


def test_the_random_order_is_that_of_the_seed():
    orders = {tuple(strategies.order("random", POOL, seed=seed)) for seed in range(20)}
    assert len(orders) > 10


def test_uncertain_puts_a_text_first_that_another_view_contradicts():
    assert strategies.order("uncertain", POOL) == [2, 1, 0, 3]


def test_diverse_takes_what_is_far_from_all_that_is_labelled():
    pool = [predicted("a")._replace(features=np.array([point], np.float32)) for point in (0, 1, 10, 11, 5)]
    assert strategies.order("diverse", pool, labelled=[0])[:2] == [3, 4]
    assert strategies.order("diverse", pool)[0] in (0, 3)


class Alike:
    """A reader of the text 7 in every image, whose encoder sees how light the image is."""

    height, width, resize, charset, possible = 8, 24, "stretch", Charset("78"), Possible()

    def predict_images(self, arrays):
        return [("7", 0.9) for _ in arrays]

    def log_probabilities(self, pixels, widths):
        return np.log(np.tile(np.float32([0.9, 0.05, 0.05]), (len(pixels), 2, 1)))

    def features(self, pixels, widths):
        return pixels[:, 0, 0].astype(np.float32)


def test_diverse_takes_from_groups_that_only_the_encoder_tells_apart():
    """Ten images are dark and two are light; their texts and probabilities are the same."""
    arrays = [np.full((8, 24, 3), light, np.uint8) for light in (*range(10), 250, 251)]
    found = list(certainty.predict(Alike(), arrays, with_features=True))
    assert {row.text for row in found} == {"7"} and len({row.confidence for row in found}) == 1
    first = strategies.order("diverse", found)[:2]
    assert sorted(index >= 10 for index in first) == [False, True]
    assert strategies.order("diverse", found, labelled=[0, 1])[0] >= 10
    assert all(row.features is None for row in certainty.predict(Alike(), arrays))


def test_diverse_is_greedy_k_centre(monkeypatch):
    """By the distances themselves, in blocks of three labelled images."""
    monkeypatch.setattr(strategies, "BLOCK", 3)
    points = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    pool = [predicted("a")._replace(features=point) for point in points]
    labelled, order = [3, 5, 8, 13, 21], strategies.order("diverse", pool, labelled=[3, 5, 8, 13, 21])
    for number, index in enumerate(order):
        centres, rest = labelled + order[:number], order[number:]
        nearest = {each: min(np.linalg.norm(points[each] - points[other]) for other in centres) for each in rest}
        assert nearest[index] == pytest.approx(max(nearest.values()))


def copied(folder: Path, change=lambda facts: None, model=lambda content: content) -> Path:
    """A copy of the reader of the package as an export alone, with changes of reader.json and of the graph."""
    for name in ("model.onnx", "charset.json", "reader.json"):
        shutil.copy(readers.folder_of("captcha") / name, folder)
    graph = folder / "model.onnx"
    graph.write_bytes(model(graph.read_bytes()))
    facts = json.loads((folder / "reader.json").read_text())
    change(facts)
    facts["files"]["model.onnx"] = digest(graph)
    (folder / "reader.json").write_text(json.dumps(facts))
    return folder


def test_diverse_and_mixed_need_nothing_but_the_export(pages):
    arrays = [read(path) for path in sorted((pages / "images").iterdir())[:4]]
    found = list(certainty.predict(load_reader("captcha"), arrays, with_features=True))
    assert len({row.features.tobytes() for row in found}) == 4 and found[0].features.ndim == 1
    assert sorted(strategies.order("diverse", found)) == sorted(strategies.order("mixed", found)) == list(range(4))


def test_an_older_export_without_features_is_refused_with_diverse_alone(tmp_path):
    older = copied(tmp_path, model=lambda content: content.replace(b"features", b"untitled"))
    [found] = certainty.predict(load_reader(older), [np.zeros((9, 30, 3), np.uint8)], with_features=True)
    assert strategies.order("mixed", [found]) == [0]
    with pytest.raises(UserError, match="diverse needs the features of an encoder: this export gives none: export"):
        strategies.order("diverse", [found])


def test_mixed_finds_a_pair_of_characters_that_is_confused_for_sure():
    """Ten images have a z; three of them may be a 2, though the confidence is that of all others."""
    pool = [predicted("az")] * 7 + [predicted("az", zto2=0.05)] * 3 + [predicted("ab")] * 20
    assert strategies.order("mixed", pool)[0] in (7, 8, 9)
    chosen = strategies.order("mixed", pool, labelled=[7])[:3]
    assert set(chosen) & {8, 9} and set(chosen) & set(range(10, 30))  # other characters come before a third one


def test_mixed_takes_rare_characters_early():
    pool = [predicted("ab")] * 50 + [predicted("ac")]
    assert 50 in strategies.order("mixed", pool)[:2]


@pytest.mark.parametrize("strategy", ["diverse", "mixed"])
def test_what_a_reader_does_not_give_is_said(strategy):
    bare = [prediction._replace(alternatives=None, features=None) for prediction in POOL]
    with pytest.raises(UserError, match=f"{strategy} needs .* export the run as ONNX, give the run, or choose random"):
        strategies.order(strategy, bare)


def test_an_unknown_strategy_is_refused():
    with pytest.raises(UserError, match="strategy best is not known: random, uncertain"):
        strategies.order("best", POOL)


def test_images_beyond_those_that_a_strategy_chooses_follow(monkeypatch):
    monkeypatch.setattr(strategies, "CHOSEN", 3)
    for strategy in strategies.STRATEGIES:
        assert sorted(strategies.order(strategy, POOL * 10)) == list(range(40))


def test_the_test_part_is_stable_and_large_enough():
    names = [f"{number}.png" for number in range(5000)]
    part = strategies.set_apart(names)
    assert 400 < len(part) < 600 and part == strategies.set_apart(names[::-1])
    small, grown = strategies.set_apart(names[:600]), strategies.set_apart(names[:3000])
    assert 70 < len(small) < 130  # about 100
    assert grown & set(names[:600]) <= small  # an image does not come into the test part later
    assert 5 < len(strategies.set_apart(names[:60])) < 25  # a quarter


def test_one_of_four_images_offered_is_of_the_test_part():
    offered = list(strategies.with_test_part(range(9), [100, 101, 102, 103, 104]))
    assert [index >= 100 for index in offered[:12]] == [False, False, False, True] * 3
    assert sorted(offered) == [*range(9), *range(100, 105)]
    assert list(strategies.with_test_part([], [7])) == [7]


def test_the_predictions_of_a_reader_hold_alternatives(pages):
    reader = load_reader("captcha").knowing(Known.of("0123456789", "4:6"))
    arrays = [read(path) for path in sorted((pages / "images").iterdir())[:6]]
    found = list(certainty.predict(reader, arrays, batch_size=4))
    views = zip(reader.predict_images(arrays), reader.predict_images(map(certainty.with_margin, arrays)))
    for row, (first, second) in zip(found, views, strict=True):
        assert (row.text, row.other) == (first[0], second[0])
        assert (row.confidence, row.other_confidence) == pytest.approx((first[1], second[1]), abs=1e-4)
    for row in found:
        assert {each.character for each in row.alternatives} == set(row.text) and row.features is None
        assert all(each.other in "0123456789" and each.other != each.character for each in row.alternatives)
        assert all(0 <= each.probability <= 1 for each in row.alternatives) and 0 <= row.certainty <= 1


def test_an_export_with_a_known_length_holds_alternatives_of_that_length(pages, tmp_path):
    """Such are the readers of the rounds of `--train`."""
    copied(tmp_path, lambda facts: facts.update(length=[3, 8]))
    reader = load_reader(tmp_path).knowing(Known.of(None, "3,8"))
    arrays = [read(path) for path in sorted((pages / "images").iterdir())[:6]]
    found = list(certainty.predict(reader, arrays, with_features=True))
    assert {len(row.text) for row in found} <= {3, 8} and all(row.characters for row in found)
    assert sorted(strategies.order("mixed", found)) == sorted(strategies.order("diverse", found)) == list(range(6))


def test_a_reader_without_log_probabilities_still_predicts():
    class Bare:
        def predict_images(self, arrays):
            return [("7", 0.5) for _ in arrays]

    [row] = certainty.predict(Bare(), [np.zeros((9, 30, 3), np.uint8)])
    assert row == ImagePrediction("7", 0.5, "7", 0.5) and row.certainty == 0.5
