"""Which labels are trained on, which are validated on, and what the validation does with what it sees."""

import csv
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from seqclr import cli
from seqclr.config import FinetuneConfig, PretrainConfig, load_yaml, resolve
from seqclr.curation.pack import pack
from seqclr.data.charset import Charset
from seqclr.data.discovery import exclude, find, find_unlabelled
from seqclr.data.knowledge import Known
from seqclr.data.samples import Sample
from seqclr.decision import Decision, choose_threshold, seen_lengths
from seqclr.engine import checkpoints
from seqclr.engine.run import Run
from seqclr.engine.trainer import Trainer
from seqclr.errors import UserError
from seqclr.methods import find_method
from seqclr.methods.text.ctc import CTC, ReaderInfo
from seqclr.methods.text.self_training import SelfTraining
from seqclr.nn.encoders import build_encoder
from seqclr.recognition.recognizer import Recognizer
from seqclr.recognition.splits import (
    describe_validation,
    find_unlabelled_samples,
    split_off_validation,
    subsample,
)
from seqclr.recognition.targets import make_charset
from seqclr.recognition.validation import Validation
from tests.engine import tiny
from tests.small_runs import SMALL

TWO_SOURCES = [Sample(source, f"{source}/{i}.png", str(i)) for source in ("a", "b") for i in range(30)]


def config_of(**values):
    return resolve(FinetuneConfig, CTC, [values])


def split(**values) -> tuple[list[str], list[str]]:
    return tuple(
        [os.path.basename(sample.file) for sample in part] for part in split_off_validation(config_of(**values))[:2]
    )


# labels


def test_few_draws_by_the_seed_from_every_source():
    drawn = subsample(TWO_SOURCES, 5, seed=0)
    assert [sample.source for sample in drawn] == ["a"] * 5 + ["b"] * 5 and len(set(drawn)) == 10
    assert drawn == subsample(TWO_SOURCES, 5, seed=0) != subsample(TWO_SOURCES, 5, seed=1)
    assert sorted(sample.file for sample in subsample(TWO_SOURCES, 99, 0)) == sorted(
        sample.file for sample in TWO_SOURCES
    )
    assert subsample(TWO_SOURCES, None, 0) == TWO_SOURCES


# validation


def test_a_tenth_is_held_out_and_the_test_split_is_left_alone(pages):
    train, validation = split(data=[str(pages)])
    assert len(train) == 18 and len(validation) == 2 and not set(train) & set(validation)
    assert not {f"{i:06d}.png" for i in range(20, 24)} & {*train, *validation}
    assert (train, validation) == split(data=[str(pages)]) != split(data=[str(pages)], seed=1)
    asked = split(data=[str(pages)], split="test")
    assert len(asked[0]) == 3 and len(asked[1]) == 1
    assert list(map(len, split(data=[str(pages)], labels=10))) == [9, 1]


def test_an_image_that_is_listed_twice_is_not_on_both_sides(pages, tmp_path):
    rows = [f"{pages}/images/{i % 5:06d}.png,12" for i in range(15)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,text", *rows, ""]))
    for seed in range(5):
        train, validation = split(data=[str(tmp_path)], seed=seed)
        assert train and validation and not set(train) & set(validation)


def test_validation_data_never_holds_what_is_trained_on(pages, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(pages)
    monkeypatch.chdir(pages.parent)
    for path in (pages, "pages", "pages/../pages/labels.csv", tmp_path / "link"):
        train, validation = split(data=[str(pages)], validation=str(path), labels=8)
        assert len(train) == 8 and len(validation) == 12 and not set(train) & set(validation)
    (tmp_path / "trained.csv").write_text(f"file,text\n{pages}/images/000003.png,794348\n")
    with pytest.raises(UserError, match="holds only images that are trained on"):
        split(data=[str(pages)], validation=str(tmp_path / "trained.csv"))


@pytest.fixture
def parted(pages, tmp_path):
    """A folder of pages: 12 to train on, 8 to validate on and 4 to test on, as people write that."""
    shutil.copytree(pages, tmp_path / "parted")
    rows = (tmp_path / "parted" / "labels.csv").read_text().splitlines()
    names = ["Train"] * 12 + ["val", "Valid", " validation", "VAL"] * 2 + ["TEST"] * 4
    parts = [f"{row.rpartition(',')[0]},{name}" for row, name in zip(rows[1:], names, strict=True)]
    (tmp_path / "parted" / "labels.csv").write_text("\n".join([rows[0], *parts, ""]))
    return tmp_path / "parted"


def names(first: int, end: int) -> set[str]:
    return {f"{i:06d}.png" for i in range(first, end)}


@pytest.mark.parametrize("path", ["", "images", "labels.csv"])
def test_rows_of_split_validation_are_validated_on(parted, path):
    data = [str(parted / path)]
    for asked in ({}, {"split": "Train"}, {"label_pattern": "{text}.png"} if path != "labels.csv" else {}):
        assert tuple(map(set, split(data=data, **asked))) == (names(0, 12), names(12, 20))
    assert list(map(len, split(data=data, labels=3))) == [3, 8]
    assert set().union(*split(data=data, split="valid")) == names(12, 20)
    assert set().union(*split(data=data, split="test")) >= names(20, 24)


def test_what_is_validated_on_is_reported(parted, pages):
    def told(**values):
        config = config_of(**values)
        return describe_validation(config, *split_off_validation(config)[1:])

    assert told(data=[str(parted)]) == "validated on 8 of split validation"
    assert told(data=[str(pages)]) == "validated on a tenth of the labels: 2 of split train"
    assert told(data=[str(parted)], split="VAL") == "validated on a tenth of the labels: 1 of split validation"
    assert told(data=[str(parted)], split="VAL", labels=3) == "validated on 5 of split validation"  # the others
    same = {"data": [str(pages)], "validation": str(pages)}
    line = f"validated on {pages}, without the training samples: "
    assert told(**same) == line + "4 of split test; they choose the best checkpoint, so evaluate on others"
    assert told(**same, labels=8) == line + "12 of split train"
    assert told(data=[str(pages)], validation=str(parted)) == (
        f"validated on {parted}, without the training samples: 8 of split validation"
    )


# charset, case and unknown characters


@pytest.fixture
def learned(monkeypatch, pages, tmp_path):
    """The charset of a fine-tuning on given texts, and the labels that its first batch would have taught."""

    def learned(texts: list[str], *settings: str) -> tuple[dict, set[str]]:
        rows = [f'{pages}/images/{i:06d}.png,"{text}"' for i, text in enumerate(texts)]
        (tmp_path / "labels.csv").write_text("\n".join(["file,text", *rows, ""]), encoding="utf-8")
        taught = []

        def fit(trainer):
            for _ in range(3):
                taught.extend(next(trainer.loader)["label"])
            return {}

        monkeypatch.setattr(Trainer, "fit", fit)
        run = tmp_path / "run"
        words = ["--data", str(tmp_path), "--output", str(run), *SMALL, "--batch-size", "8", *settings]
        assert cli.main(["finetune", *words]) == 0
        charset = json.loads((run / "charset.json").read_text(encoding="utf-8"))
        return charset, {Charset(**charset).decode(label[label >= 0]) for label in taught}

    return learned


TEXTS = ["aB", "Ba", "cafe\u0301", "B-B"] * 4


def test_the_charset_is_that_of_the_labels_sorted_and_composed(learned):
    charset, taught = learned(TEXTS)
    assert charset == {"characters": "-Bacfé", "case": "keep", "unknown": "error"}
    assert taught == {"aB", "Ba", "café", "B-B"}


def test_case_is_applied_to_charset_and_labels(learned):
    charset, taught = learned(TEXTS, "case=lower")
    assert charset["characters"] == "-abcfé" and taught == {"ab", "ba", "café", "b-b"}


def test_unknown_characters_are_dropped_where_that_is_asked_for(learned):
    charset, taught = learned(TEXTS, "charset=abcdefé", "case=lower", "unknown=drop")
    assert charset == {"characters": "abcdefé", "case": "lower", "unknown": "drop"}
    assert taught == {"ab", "ba", "café", "bb"}


def test_a_validation_counts_what_is_never_read(learned, monkeypatch):
    truths, original = [], Validation.__init__

    def noted(self, recognizer, dataset, texts, *rest):
        truths.extend(texts)
        original(self, recognizer, dataset, texts, *rest)

    monkeypatch.setattr(Validation, "__init__", noted)
    _, taught = learned(["b-B"] * 16, "charset=ab", "case=lower", "unknown=drop")
    assert taught == {"bb"} and truths == ["b-b"] * 2


def test_labels_that_a_reader_cannot_learn_or_nobody_sees(learned, pages, tmp_path, capsys):
    learned(["ab", "a\u200bb", "ab", "\uff42a"] * 4)
    told = capsys.readouterr().err
    assert re.search(r"4 label\(s\) have invisible characters: .*\.png has U\+200B \(zero width space\)", told)
    assert (
        "several forms of one character: U+0062 (latin small letter b), U+FF42 (fullwidth latin small letter b)" in told
    )
    (tmp_path / "labels.csv").write_text(f"file,text\n{pages}/images/000000.png,אב\n{pages}/images/000001.png,ab\n")
    words = ["finetune", "--data", str(tmp_path / "labels.csv"), "--output", str(tmp_path / "new"), *SMALL]
    assert cli.main(words) == 2 and not (tmp_path / "new").exists()
    assert "000000.png has right-to-left text, U+05D0 (hebrew letter alef)" in capsys.readouterr().err


# images without labels


def test_what_is_validated_or_tested_on_is_not_learned_from(pages):
    for path in (pages, pages / "images"):  # the second says nothing of splits
        config = resolve(FinetuneConfig, SelfTraining, [{"data": [str(pages)], "unlabelled": [str(path)]}])
        train, validation, _ = split_off_validation(config)
        more = {os.path.basename(sample.file) for sample in find_unlabelled_samples(config, validation)}
        assert more == {os.path.basename(sample.file) for sample in train} and len(more) == 18
    only = resolve(FinetuneConfig, SelfTraining, [{"data": [str(pages)], "unlabelled": [str(pages)]}])
    with pytest.raises(UserError, match="holds only images for validation or test"):
        find_unlabelled_samples(only, train + validation)


def test_packed_images_of_one_file_name_are_told_apart(pages, tmp_path):
    pytest.importorskip("array_record")
    for folder in "ab":
        (tmp_path / folder).mkdir()
        shutil.copy(pages / "images" / "000000.png", tmp_path / folder)
    pack([tmp_path / "a", tmp_path / "b"], tmp_path / "packed")
    samples = find_unlabelled([tmp_path / "packed"])
    assert exclude(samples, samples[:1]) == samples[1:]
    assert not exclude(samples, find_unlabelled(list((tmp_path / "packed").glob("*.arrayrecord"))))


def test_a_run_with_images_without_labels_keeps_and_reads_with_the_average(pages, tmp_path, capsys, eagerly):
    more, run = tmp_path / "more", tmp_path / "run"
    shutil.copytree(pages / "images", more)
    (more / "bad.png").write_bytes(b"no image")
    keys = ["unlabelled_start=0", "confidence=0", "unlabelled_batch_size=4", "average=0.5"]
    words = ["--data", str(pages), "--unlabelled", str(more), *keys, "--output", str(run), "--steps", "1", *SMALL]
    assert cli.main(["finetune", *words]) == 0
    told = capsys.readouterr().err
    assert "18 labelled images, 2 for validation, 24 unlabelled" in told
    assert "1 image(s) that cannot be read were skipped" in told and "bad.png" in told
    saved = load_yaml(run / "config.yaml")
    assert saved["unlabelled"] == [str(more)] and saved["unlabelled_batch_size"] == 4
    with open(run / "metrics.csv", newline="") as stream:
        assert {"supervised", "accepted", "confidence"} <= next(csv.DictReader(stream)).keys()
    last, _ = checkpoints.load(run / "checkpoints" / "step-00000001.npz")
    recognizer = Recognizer.load(run)
    read_with = [w for w in (*recognizer.encoder.variables, *recognizer.head.variables) if w.dtype == "float32"]
    average = [array for name, array in last.items() if name.startswith("averaged/") and array.dtype == np.float32]
    trained = [a for name, a in last.items() if name.split("/")[0] in ("encoder", "head") and a.dtype == np.float32]
    for weight, array in zip(read_with, average, strict=True):
        np.testing.assert_array_equal(weight, array)
    assert any((a != b).any() for a, b in zip(average, trained, strict=True))
    assert cli.main(["finetune", "--resume", *words]) == 0  # nothing is left to do, and nothing lost


@pytest.mark.parametrize(
    "words, told",
    [
        (["--unlabelled", "nowhere"], "nowhere does not exist"),
        (["--unlabelled", "hollow"], "hollow holds no image"),
        (["--unlabelled", "PAGES", "confidence=1.5"], "confidence 1.5: 0 to 1"),
        (["--unlabelled", "PAGES", "--unlabelled-start", "-1"], "unlabelled_start -1.0: at least 0"),
        (["--unlabelled", "PAGES", "unlabelled_batch_size=0"], "unlabelled_batch_size 0: at least 1"),
        (["--unlabelled", "PAGES", "weak_views=wild"], "views 'wild' is neither a preset"),
        (["confidence=0.5"], "the key 'confidence' does not exist"),
        (["average=2"], "average 2.0: 0 to 1"),
        (["rate_decay=-1"], "rate_decay -1.0: at least 0"),
        (["norm=batch"], "norm 'batch' is not known: train, frozen"),
    ],
)
def test_a_mistake_is_one_sentence(pages, tmp_path, monkeypatch, capsys, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hollow").mkdir()
    words = [word.replace("PAGES", str(pages)) for word in words]
    assert cli.main(["finetune", "--data", str(pages), "--output", "run", *words, *SMALL]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert told in error[-1] and "Traceback" not in "".join(error) and not (tmp_path / "run").exists()


# what a pretrained encoder keeps


def test_frozen_statistics_stay_and_layers_near_the_image_learn_less(tmp_path, eagerly):
    keys = {"norm": "frozen", "rate_decay": 0.0, "head_steps": 0, "weight_decay": 0.0}
    job = tiny.trainer(tmp_path / "run", "ctc", pretrained="x", steps=2, **keys)
    encoder = job.method.encoder
    before = {v.path: v.numpy() for v in (*encoder.weights, *job.method.head.weights)}
    job.fit()
    moved = {v.path for v in (*encoder.weights, *job.method.head.weights) if (v.numpy() != before[v.path]).any()}
    assert not any("moving" in path for path in moved)
    assert {path for path in moved if path.startswith("encoder/")} == {"encoder/norm/gamma", "encoder/norm/beta"}
    assert len([path for path in moved if path.startswith("head/")]) == 4


def test_rates_fall_in_both_halves_of_an_encoder():
    encoder = build_encoder("least_lab", 16, 64, "none")
    method = CTC(rate_decay=0.5, encoder_rate=0.8)
    method.build(encoder, ReaderInfo(classes=11, pretrained=True))
    factors = method.learning_rate_factors()
    for half in ("light", "colour"):
        assert factors[f"encoder/{half}/norm"] == 0.8 and factors[f"encoder/{half}/transformer0"] == 0.4
    paths = [variable.path for variable in encoder.trainable_variables]
    assert all(any(path.startswith(f"{place}/") for place in factors if place != "encoder") for path in paths)


def test_rates_fall_towards_the_image_and_only_in_a_pretrained_encoder():
    encoder = build_encoder("tiny", 16, 64, "none")
    method = CTC(rate_decay=0.5, encoder_rate=0.8, norm="frozen")
    method.build(encoder, ReaderInfo(classes=11))
    assert method.learning_rate_factors() == {}
    images, mean = np.random.default_rng(0).integers(0, 256, (2, 16, 64, 3)), encoder.stem.bn.moving_mean
    for pretrained, stays in ((False, False), (True, True)):
        method.build(encoder, ReaderInfo(classes=11, pretrained=pretrained))
        before = mean.numpy()
        encoder(images, training=True)
        assert np.array_equal(before, mean) == stays
    factors = method.learning_rate_factors()
    assert [factors[f"encoder/{layer}"] for layer in ("norm", "transformer1", "transformer0")] == [0.8, 0.4, 0.2]
    assert min(factors, key=factors.get) == "encoder/stem"


# the validation's own work


class Reads:
    """A recognizer that reads `text` in every image."""

    text = ""

    def predict_batch(self, pixels, widths):
        return [(self.text, 0.5)] * len(pixels)


class Rounds:
    """Runs a Validation through rounds and notes what it keeps and when it stops."""

    def __init__(self, reads: list[str], text: str = "abcd", patience: int | None = None):
        dataset = [{"image": np.zeros((1, 1, 3), np.uint8), "width": np.int32(1)}] * 3
        recognizer = Reads()
        self.validation = Validation(recognizer, dataset, [text] * 3, patience, lengths=(4,))
        self._folder = tempfile.TemporaryDirectory()
        self.decision_file = Path(self._folder.name) / "decision.json"
        self.validation.set_model(SimpleNamespace(stop_training=False))
        self.kept, self.logs = [], []
        for step, recognizer.text in enumerate(reads, 1):
            self.validation.trainer = SimpleNamespace(
                step=step,
                save=lambda name, step=step: self.kept.append((name, step)),
                run=SimpleNamespace(decision_file=self.decision_file),
            )
            self.logs.append({})
            self.validation.on_epoch_end(step - 1, self.logs[-1])
            if self.validation.model.stop_training:
                break


def test_the_best_weights_are_kept():
    rounds = Rounds(["a", "abc", "ab", "abcd", "", "abc"])
    assert rounds.kept == [("best", 1), ("best", 2), ("best", 4)]
    assert (rounds.validation.best, rounds.validation.best_step) == (1.0, 4)
    assert [logs["val_edit_distance_accuracy"] for logs in rounds.logs] == [0.25, 0.75, 0.5, 1.0, 0.0, 0.75]
    assert [logs["val_exact_match"] for logs in rounds.logs] == [0, 0, 0, 1, 0, 0]


def test_the_threshold_is_that_of_the_best_weights():
    rounds = Rounds(["a", "abcd", "abc"])
    threshold = choose_threshold([0.5] * 3, [True] * 3)  # of the second round
    assert Decision.load(rounds.decision_file) == Decision(threshold, (4,), images=3, labelled=3)
    assert threshold != choose_threshold([0.5] * 3, [False] * 3)


@pytest.mark.parametrize(
    "reads, patience, rounds",
    [(["a", "ab", "a", "a", "a"], 2, 4), (["a"] * 6, 3, 4), (["a", "", "ab", "", "abc"], 2, 5), (["a"] * 6, None, 6)],
)
def test_patience_ends_after_rounds_without_a_better_one(reads, patience, rounds):
    assert len(Rounds(reads, patience=patience).logs) == rounds


def test_a_plateau_of_blanks_is_reported_once(caplog):
    Rounds([""] * 7 + ["a"] + [""] * 7)
    assert "only blanks predicted" not in caplog.text
    Rounds([""] * 20)
    assert caplog.text.count("only blanks predicted for eight rounds") == 1


def test_the_state_of_a_validation_goes_on():
    first, second = Rounds(["a", "abc", "ab"]).validation, Rounds([]).validation
    second.set_state(json.loads(json.dumps(first.get_state())))
    best = {"best": 0.75, "best_step": 2, "waited": 1, "blank": 0}
    assert second.get_state() == first.get_state() == best


@pytest.mark.parametrize("patience, stopped", [(2, True), (3, False)])
def test_a_run_that_ran_out_of_patience_stays_at_its_end(patience, stopped):
    first, second = Rounds(["ab", "a", "a"], patience=2).validation, Rounds([], patience=patience).validation
    second.set_state(first.get_state())
    second.on_train_begin()
    assert second.model.stop_training == stopped


def test_a_run_keeps_its_best_checkpoint(reader):
    with open(reader / "metrics.csv", newline="") as stream:
        rows = [(float(row["val_edit_distance_accuracy"]), float(row["step"])) for row in csv.DictReader(stream)]
    _, state = checkpoints.load(reader / "checkpoints" / "best.npz")
    assert (max(rows)[0], state["step"]) == max(rows)


def labelled(pages, folder, change):
    """The pages with labels that are changed, in another folder."""
    shutil.copytree(pages, folder)
    rows = [row.split(",") for row in (folder / "labels.csv").read_text().splitlines()]
    table = "".join(",".join([row[0], change(row[1]), *row[2:]]) + "\n" for row in rows[1:])
    (folder / "labels.csv").write_text(",".join(rows[0]) + "\n" + table)
    return folder


def test_a_next_round_keeps_the_characters_of_the_reader(pages, reader, tmp_path, capsys, eagerly):
    data = labelled(pages, tmp_path / "new", lambda text: "1x2x")
    words = ["finetune", "--data", str(data), *SMALL, "--steps", "1", "dropout=0", "learning_rate=0"]
    assert cli.main([*words, "--output", str(tmp_path / "run"), "--pretrained", str(reader)]) == 0
    assert Charset.load(tmp_path / "run" / "charset.json").characters == "0123456789x"
    assert "with 10 of 11 characters, new: x" in capsys.readouterr().err
    files = find([str(pages)])
    reads = [[text for text, _ in Recognizer.load(run).predict_samples(files)] for run in (reader, tmp_path / "run")]
    alike = [a == b for a, b in zip(*reads)]
    assert sum(alike) > len(alike) / 2  # at a rate of 0 only batch norm's statistics have moved
    given = config_of(pretrained=str(reader), charset="12x")
    assert make_charset(given, find([str(data)])).characters == "12x"


def test_the_characters_of_generated_images_are_no_promise(pages, tmp_path):
    pretrained = tmp_path / "pretrained"
    run = Run(pretrained)
    run.create(resolve(PretrainConfig, find_method("generated"), [{"data": ["x"]}]))
    Charset("0123456789abc").save(run.charset_file)
    config = resolve(FinetuneConfig, CTC, [{"pretrained": str(pretrained)}])
    assert make_charset(config, [Sample("a", "1.png", "12")]).characters == "12"


def test_a_label_that_is_dropped_whole_is_named(pages, tmp_path, capsys):
    data, run = labelled(pages, tmp_path / "new", lambda text: "xy" if text[0] == "1" else text), tmp_path / "run"
    words = ["finetune", "--data", str(data), *SMALL, "--output", str(run), "charset=0123456789", "unknown=drop"]
    assert cli.main(words) == 2
    assert "has the label 'xy', from which unknown=drop removes all characters" in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_what_only_a_step_refuses_leaves_no_run(pages, tmp_path, monkeypatch, capsys, eagerly, verb):
    def loss(self, batch, training):
        raise UserError("no such batch")

    for cls in (find_method("simclr"), CTC):
        monkeypatch.setattr(cls, "loss", loss)
    for _ in range(2):
        assert cli.main([verb, "--data", str(pages), "--output", str(tmp_path / "run"), *SMALL]) == 2
        assert capsys.readouterr().err.splitlines()[-1] == f"seqclr {verb}: no such batch"
    assert not (tmp_path / "run").exists()


def test_a_run_keeps_the_threshold_of_its_validation_rows(reader, pages):
    recognizer = Recognizer.load(reader)
    samples = find([pages], "test")  # the fixture validates on its test rows
    correct = [text == sample.text for sample, (text, _) in zip(samples, recognizer.predict_samples(samples))]
    threshold = choose_threshold([confidence for _, confidence in recognizer.predict_samples(samples)], correct)
    decision = Decision.load(reader / "decision.json")
    assert (decision.images, decision.labelled) == (4, 4)
    assert decision.threshold == recognizer.threshold == pytest.approx(threshold, abs=1e-3)
    assert decision.lengths == recognizer.lengths == seen_lengths(sample.text for sample in find([pages]))
    assert recognizer.knowing(Known.of(None, "5")).lengths == (5,)
