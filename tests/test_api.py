"""The Python interface."""

import dataclasses
import logging
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from PIL import Image

import seqclr
from seqclr import cli
from seqclr.config import AdaptConfig, EvolveConfig, FinetuneConfig, PretrainConfig, resolve
from seqclr.engine.run import Run as RunFolder
from seqclr.methods import METHODS, find_method, table
from seqclr.methods.contrastive.simclr import SimCLR
from seqclr.methods.text.adaptation import Adaptation
from seqclr.methods.text.ctc import CTC
from seqclr.nn.encoders import build_encoder

pytestmark = pytest.mark.usefixtures("least_networks")

KEYS = {"batch_size": 8, "processes": 0, "precision": "float32", "views": "none", "steps": 1}
SMALL = {**KEYS, "encoder": "least", "height": 16, "width": 64}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# the import


def test_the_import_is_light_and_leaves_the_process_alone():
    code = """
import logging, os, sys
before = dict(os.environ), logging.root.level, list(logging.root.handlers), set(logging.root.manager.loggerDict)
import seqclr
assert before == (dict(os.environ), logging.root.level, list(logging.root.handlers),
                  set(logging.root.manager.loggerDict))
heavy = {"tensorflow", "keras", "numpy", "PIL", "absl", "grain", "tqdm", "seqclr.api"} & set(sys.modules)
assert not heavy, heavy
assert set(seqclr.__all__) <= set(dir(seqclr))
try:
    seqclr.nothing
except AttributeError:
    pass
else:
    sys.exit("it has an attribute that it does not have")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_everything_public_is_there_and_documented():
    for name in seqclr.__all__:
        assert getattr(seqclr, name).__doc__
    assert (Path(seqclr.__file__).parent / "py.typed").is_file()


# training


def test_a_run_without_an_output_gets_a_new_folder_each_time(here, pages, capfd, eagerly):
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    Path("runs/simsiam-1").mkdir(parents=True)
    run = seqclr.pretrain(pages, method="simsiam", **SMALL)
    assert run.folder == Path("runs/simsiam-2") and (run.folder / "config.yaml").is_file()
    assert run.figures["step"] == 1
    out, err = capfd.readouterr()
    assert out == "" and "step 1/1" in err  # the bar
    assert keras.mixed_precision.dtype_policy().name == "mixed_bfloat16"


def test_what_is_refused_leaves_no_folder(here, pages):
    for keys, why in (
        ({"steps": 0}, "steps 0: at least 1"),
        ({"hight": 16}, "did you mean height"),
        ({"data": "nowhere"}, "nowhere does not exist"),
        ({"method": "simclrr"}, "method 'simclrr' is not known"),
        ({"resume": True}, "resume: give the run to resume as output"),
        ({"resume": "perhaps"}, "resume=perhaps does not fit: true or false"),
        ({"output": 3}, "output 3: give a path, not int"),
        ({"config": {}}, "config {}: give a path, not dict"),
        ({"callbacks": [3]}, r"callbacks \[3\]: give a list of instances of keras.callbacks.Callback"),
        ({"callbacks": keras.callbacks.Callback()}, "give a list of instances of keras.callbacks.Callback"),
        ({"resume": True, "output": "nowhere"}, "nowhere is not a run"),
    ):
        with pytest.raises(seqclr.UserError, match=why):
            seqclr.pretrain(**{"data": pages, **SMALL, **keys})
    assert not list(here.iterdir())


@pytest.mark.parametrize("verb", ["pretrain", "evolve", "finetune", "adapt"])
def test_a_run_is_resumed_by_the_verb_that_started_it(tmp_path, verb):
    together = find_method("simclr+masked")
    kinds = {
        "pretrain": (PretrainConfig, together),
        "evolve": (EvolveConfig, together),
        "finetune": (FinetuneConfig, CTC),
    }
    kinds["adapt"] = AdaptConfig, Adaptation
    RunFolder(tmp_path / "run").create(resolve(*kinds[verb]))
    for other in kinds.keys() - {verb}:
        with pytest.raises(seqclr.UserError, match=f"run is a run of seqclr {verb}: resume it with that"):
            getattr(seqclr, other)(output=tmp_path / "run", resume=True)


def test_nothing_is_overwritten(pretrained, pages):
    with pytest.raises(seqclr.UserError, match="exists already"):
        seqclr.pretrain(pages, output=pretrained, **SMALL)


def test_a_run_has_the_keys_of_a_file_below_those_given_and_goes_on_with_them(here, pages, eagerly):
    Path("keys.yaml").write_text(yaml.safe_dump({**SMALL, "method": "simsiam", "steps": 7}))
    run = seqclr.pretrain(pages, output="run", config="keys.yaml", steps=1)
    assert run.figures["step"] == 1
    more = seqclr.pretrain(output=run, resume=True, steps=2)
    assert more.folder == run.folder and more.figures["step"] == 2
    with pytest.raises(seqclr.UserError, match="method byol: run was started with simsiam"):
        seqclr.pretrain(output=run, resume=True, method="byol")


def test_finetuning_takes_the_architecture_of_the_pretrained_run(pretrained, pages, here, caplog, eagerly):
    seen = []

    class Watching(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["loss"])

    with caplog.at_level(logging.INFO, "seqclr"):
        reader = seqclr.finetune(pages, pretrained=seqclr.Run(pretrained), callbacks=[Watching()], **KEYS)
    assert any(message.startswith("validated on a tenth of the labels") for message in caplog.messages)
    assert [record.name for record in caplog.records if record.msg.startswith("step 1  ")] == ["seqclr.figures"]
    assert reader.folder == Path("runs/reader-1") and len(seen) == 1
    config = yaml.safe_load((reader.folder / "config.yaml").read_text())
    assert (config["encoder"], config["height"], config["width"]) == ("least", 16, 64)
    assert config["pretrained"] == str(pretrained)
    assert "edit_distance_accuracy" in reader.evaluate([pages], split="test")


# readers


def test_every_form_of_an_image_is_read_alike(reader, pages):
    file = sorted((pages / "images").iterdir())[0]
    array = np.asarray(Image.open(file).convert("RGB"))
    opaque = np.dstack([array, np.full(array.shape[:2], 255, np.uint8)])
    loaded = seqclr.load(reader)
    forms = [str(file), file, file.read_bytes(), Image.open(file), array, opaque]
    first, *others = loaded.predict(forms, batch_size=4)
    assert first.text and 0 < first.confidence <= 1 and set(first.text) <= set(loaded.characters)
    for other in others:
        assert other.text == first.text and other.confidence == pytest.approx(first.confidence, abs=1e-5)
    gray = array.mean(-1).astype(np.uint8)
    plain, channel, rgb = loaded.predict([gray, gray[..., None], np.repeat(gray[..., None], 3, 2)])
    assert plain == channel and plain.text == rgb.text


@pytest.mark.parametrize(
    "image, why",
    [
        ("nowhere.png", "nowhere.png cannot be opened"),
        (b"no image", "image 1 is not an image that can be read"),
        (b"", "image 1 is empty"),
        (np.zeros((16, 64, 3), np.float32), r"image 1 is an array float32 \[16, 64, 3\]: give uint8"),
        (np.zeros((16, 64, 2), np.uint8), r"image 1 is an array uint8 \[16, 64, 2\]"),
        (np.zeros(64, np.uint8), r"image 1 is an array uint8 \[64\]"),
        (np.zeros((2, 64), np.uint8), "image 1 is 64x2 pixels"),
        (Image.new("RGB", (64, 1)), "image 1 is 64x1 pixels"),
        (3, "image 1 is of type int"),
    ],
)
def test_an_image_that_cannot_be_read_is_named(reader, image, why):
    with pytest.raises(seqclr.UserError, match=why):
        seqclr.load(reader).predict([np.zeros((16, 64), np.uint8), image])


def test_one_image_is_no_list(reader):
    with pytest.raises(seqclr.UserError, match="a list of images"):
        seqclr.load(reader).predict("a.png")


def test_loading_leaves_the_dtype_policy_alone(reader):
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    loaded = seqclr.load(reader)
    encoder = seqclr.load_encoder(reader)
    assert keras.mixed_precision.dtype_policy().name == "mixed_bfloat16"
    image = np.zeros((1, 16, 64, 3), np.uint8)
    assert encoder(image)[0].dtype == "float32"
    mixed = loaded.predict(image)
    keras.mixed_precision.set_dtype_policy("float32")
    assert mixed == seqclr.load(reader).predict(image)


def test_an_export_reads_as_the_run(reader, exported, pages, tmp_path):
    files = sorted((pages / "images").iterdir())[:3]
    run, other = seqclr.load(reader), seqclr.load(exported)
    assert [p.text for p in run.predict(files)] == [p.text for p in other.predict(files)]
    with pytest.raises(seqclr.UserError, match="an export and has no beam search"):
        other.predict(files, beam=3)
    with pytest.raises(seqclr.UserError, match="is not a run"):
        other.export(tmp_path / "again")


def test_known_characters_and_lengths_are_all_that_is_predicted(reader, exported, pages, eagerly):
    loaded, files = seqclr.load(reader), sorted((pages / "images").iterdir())
    free = loaded.predict(files)
    for beam in (1, 4):
        found = loaded.predict(files, beam=beam, charset="12345678", length="2,4")
        assert all(len(p.text) in (2, 4) and set(p.text) <= set("12345678") and 0 < p.confidence <= 1 for p in found)
    assert loaded.predict(files, charset=loaded.characters) == free  # and what was known is known no more
    assert loaded.predict(files) == free
    with pytest.raises(seqclr.UserError, match="length 4: .*exported is an export: export the run again with it"):
        seqclr.load(exported).predict(files, length=4)


@pytest.mark.slow
def test_an_export_of_known_texts_reads_as_the_run_told_the_same(reader, pages, tmp_path):
    loaded, files = seqclr.load(reader), sorted((pages / "images").iterdir())
    folder = loaded.export(tmp_path / "known", charset="12345678", length=[2, 4])
    export = seqclr.load(folder)
    assert export.characters == "12345678"
    wanted = loaded.predict(files, charset="12345678", length=[2, 4])
    for p, q in zip(export.predict(files), wanted, strict=True):
        assert p.text == q.text and p.confidence == pytest.approx(q.confidence, abs=0.02)  # resized
    card = (folder / "model_card.md").read_text(encoding="utf-8")
    assert "- Known: charset 12345678 and length 2,4. Only such texts" in card


def test_figures_of_known_texts_and_of_sums(reader, pages, monkeypatch, eagerly):
    loaded = seqclr.load(reader)
    assert loaded.evaluate(pages, length="4:6")["exact_match"] >= loaded.evaluate(pages)["exact_match"]
    assert all(p == ("", 0.0, False) for p in loaded.predict([np.zeros((16, 64), np.uint8)], answer="sum"))
    monkeypatch.setattr("seqclr.data.sums.answer", lambda text: str(int(text) + 1))
    [plain], [sum] = (loaded.predict([next((pages / "images").iterdir())], length=4, answer=a) for a in ("text", "sum"))
    assert int(sum.text) == int(plain.text) + 1 and sum.confidence == plain.confidence
    assert loaded.evaluate(pages, answer="sum", length=4)["exact_match"] == 0


def test_what_does_not_read_is_refused(pretrained):
    with pytest.raises(seqclr.UserError, match="was only pretrained and predicts no text"):
        seqclr.load(pretrained)
    with pytest.raises(seqclr.UserError, match="is not a run"):
        seqclr.load_encoder(pretrained / "checkpoints")


# encoders


@pytest.mark.parametrize("layer", ["cnn", "transformer"])
def test_keras_saves_and_loads_an_encoder(pretrained, tmp_path, layer):
    encoder = seqclr.Run(pretrained).encoder()
    encoder.save(tmp_path / "encoder.keras")
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")  # the file has its own
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 64, 3)).astype(np.uint8)
    for widths in (None, np.array([64, 40, 5], np.int32)):
        for a, b in zip(encoder(images, widths, layer=layer), loaded(images, widths, layer=layer)):
            assert (a is None and b is None) or np.array_equal(a, b)
    assert (loaded.dim, loaded.grid, loaded.height, loaded.width) == (64, (1, 16), 16, 64)


@pytest.mark.parametrize(
    "name, positions",
    [
        ("tiny", "learned"),
        ("least_lab", "sinusoidal"),
        ("resnet9_lab", "none"),
        pytest.param("vit_tiny", "none", marks=pytest.mark.slow),
    ],
)
def test_every_kind_of_encoder_is_saved(tmp_path, name, positions):
    keras.utils.set_random_seed(0)
    encoder = build_encoder(name, 16, 32, positions)
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 32, 3)).astype(np.uint8)
    encoder(images, training=True)  # statistics that are not those of new ones
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    for a, b in zip(encoder(images, layer="pair")[0], loaded(images, layer="pair")[0]):
        np.testing.assert_array_equal(a, b)
    assert loaded.grid == encoder.grid and loaded.lines == encoder.lines


# methods of one's own


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr("seqclr.methods.registry.METHODS", held := dict(METHODS))
    monkeypatch.setattr("seqclr.methods.METHODS", held)  # where the choices of the key are looked up
    return held


def test_a_method_of_ones_own_is_trained_by_its_name(registry, here, pages, capfd, caplog, eagerly):
    @seqclr.register("plain", paper="Doe & Roe 2020, arXiv:2001.00001", negatives="none", stores="nothing")
    @dataclasses.dataclass
    class Plain(SimCLR):
        """SimCLR with a key of its own, of a type that is no text here, and without a range."""

        scale: float | None = 1.0

    with pytest.raises(seqclr.UserError, match="scale=much does not fit: a number"):
        seqclr.pretrain(pages, method="plain", scale="much", **SMALL)
    with caplog.at_level(logging.ERROR, "seqclr"):  # and in silence
        run = seqclr.pretrain(pages, method="plain", projection_dim=16, scale=2, **SMALL)
    assert capfd.readouterr() == ("", "") and not caplog.messages
    assert yaml.safe_load((run.folder / "config.yaml").read_text())["scale"] == 2
    assert run.folder == Path("runs/plain-1") and run.encoder().dim == 64
    row = next(line for line in table.table().splitlines() if line.startswith("| `plain`"))
    assert "[Doe & Roe 2020](https://arxiv.org/abs/2001.00001) | two views | none |  | nothing |" in row
    with pytest.raises(seqclr.UserError, match="'simclr' is registered already, as SimCLR"):
        seqclr.register("simclr")(Plain)
    assert "plain" in registry


def test_the_command_line_leaves_logging_as_it_was(capsys):
    logger = logging.getLogger("seqclr")
    assert cli.main(["check", "nowhere"]) == 2
    assert (logger.level, logger.propagate, logger.handlers) == (logging.NOTSET, True, [])


@pytest.mark.parametrize("shape", [(16, 64), (16, 64, 3), (16, 64, 4), (16, 64, 1)])
def test_a_single_array_is_no_list_of_its_rows(tmp_path, shape):
    with pytest.raises(seqclr.UserError, match=r"write \[image\] for a single one"):
        seqclr.Reader(tmp_path).predict(np.zeros(shape, np.uint8))


def test_arguments_of_other_types_are_refused(tmp_path, pages):
    reader = seqclr.Reader(tmp_path)
    for call, why in (
        (lambda: reader.predict(None), "takes a list of images"),
        (lambda: reader.predict([], beam=2.5), "beam=2.5 does not fit: a whole number"),
        (lambda: reader.predict([], batch_size=None), "batch_size=None does not fit"),
        (lambda: reader.predict([], batch_size=0), "batch_size 0: at least 1"),
        (lambda: reader.predict([], charset=3), "charset=3 does not fit: it must be a text"),
        (lambda: reader.predict([], length="four"), "length four: give a number"),
        (lambda: reader.export("out", length=0), "length 0: give a number"),
        (lambda: reader.evaluate(3), "data 3: give a path or a list of paths"),
        (lambda: reader.evaluate(pages, split=3), "split=3 does not fit"),
        (lambda: reader.evaluate(pages, plots=3), "plots 3: give a path, not int"),
        (lambda: reader.export(None), "folder None: give a path, not NoneType"),
        (lambda: seqclr.load(None), "folder None: give a path, not NoneType"),
        (lambda: seqclr.load_encoder(b"x"), "path b'x': give a path, not bytes"),
    ):
        with pytest.raises(seqclr.UserError, match=why):
            call()
