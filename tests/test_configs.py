"""The defaults of every method, and the files of configs/: settings that a run can have."""

import dataclasses
import subprocess
import sys

import pytest

from seqclr import cli
from seqclr import config as configuration
from seqclr.config import FinetuneConfig, PretrainConfig, fields_of, load_config, named_configs, resolve
from seqclr.engine import setup
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.text.ctc import CTC

RECOMMENDED = {"views": "roaming", "correspondence": "geometry", "layer": "cnn", "frames": "frames:2"}
ARTICLE = {"views": "article", "correspondence": "index", "layer": "transformer", "frames": "frames:5"}
IMAGES = {"views": "images", "correspondence": "index", "layer": "transformer", "frames": "all"}
MATCHING = sorted(  # every method that matches frames; two have one instance an image, ssm four windows
    name
    for name, cls in METHODS.items()
    if "correspondence" in {field.name for field in dataclasses.fields(cls)}
    and name not in ("exemplar", "classifier", "ssm")
)


def of(name, *values):
    """The keys of a checked configuration of a method, on lines where nothing else is said."""
    cls = METHODS[name]
    config = resolve(
        PretrainConfig, cls, [{"method": name, "encoder": "tiny_lab" if cls.facts.needs_halves else "tiny"}, *values]
    )
    setup.check(config, cls)
    cls(**fields_of(cls, config))
    return dataclasses.asdict(config)


@pytest.mark.parametrize("name", MATCHING)
def test_on_lines_the_default_is_what_works(name):
    assert of(name).items() >= RECOMMENDED.items()
    assert of(name, ARTICLE).items() >= ARTICLE.items()
    assert of(name, {"frames": "all"}).items() >= {**RECOMMENDED, "frames": "all"}.items()


@pytest.mark.parametrize("name", MATCHING)
def test_an_image_encoder_has_the_defaults_of_images(name):
    if METHODS[name].facts.needs_lines:
        return
    encoder = {"encoder": "resnet9_lab" if METHODS[name].facts.needs_halves else "resnet9"}
    assert of(name, encoder).items() >= IMAGES.items()
    assert of(name, encoder, {"views": "strong"})["views"] == "strong"


def test_methods_that_match_no_frames_keep_defaults_of_their_own():
    assert len(MATCHING) == 23
    assert {
        name: of(name)["views"] for name in ("cpc", "rotation", "masked", "pix_pro", "classifier")
    } == dict.fromkeys(("cpc", "rotation", "masked", "pix_pro", "classifier"), "article")
    assert (of("exemplar")["views"], of("exemplar")["frames"]) == ("none", "all")
    for name in ("colorization", "split_brain", "rotation", "autoencoder", "jigsaw"):
        encoder = "resnet9_lab" if METHODS[name].facts.needs_halves else "resnet9"
        assert of(name, {"encoder": encoder})["views"] == "none"
    for name in ("cpc", "jigsaw_clustering", "pix_contrast"):
        assert of(name, {"encoder": "resnet9"})["views"] == "images"
    assert resolve(FinetuneConfig, CTC).views == "article"


@pytest.mark.parametrize("name", named_configs())
def test_a_configuration_is_one_of_its_verb(name):
    values = load_config(name)
    if name.startswith("finetune_"):
        assert dataclasses.asdict(resolve(FinetuneConfig, CTC, [values])).items() >= values.items()
    else:
        assert of(values["method"], values).items() >= values.items()


def test_the_article_is_reproduced_to_the_letter():
    simclr = {"method": "simclr", "loss_name": "info_nce", "temperature": 0.1, "negatives": "all"}
    for own in (simclr, {"method": "simsiam", "l2": 0.001}):
        values = load_config(f"article_{own['method']}")
        assert values == {**ARTICLE, **own, "epochs": 20}
    assert of("simclr", load_config("lines")).items() >= RECOMMENDED.items()
    assert of("simclr", load_config("images")).items() >= IMAGES.items()


def test_a_configuration_is_found_by_name_or_by_path(tmp_path, monkeypatch, capsys):
    (tmp_path / "own.yaml").write_text("method: byol\n")
    (tmp_path / "lines").mkdir()  # a name is a name, whatever lies here
    monkeypatch.chdir(tmp_path)
    assert load_config("own.yaml") == load_config(tmp_path / "own.yaml") == {"method": "byol"}
    assert load_config("lines") == load_config(named_configs()["lines"])
    for wrong in ("captchas", "configs/captcha.yaml"):
        with pytest.raises(
            UserError, match=f"config '{wrong}' is neither a file nor one of article_simclr, .*captcha, "
        ):
            load_config(wrong)
        assert cli.main(["pretrain", "--data", "x", "--output", "run", "--config", wrong]) == 2
        assert f"config '{wrong}' is neither" in capsys.readouterr().err


def test_configurations_are_listed_with_a_line_each(capsys):
    assert cli.main(["configs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(named_configs())
    assert all(len(line.split()) > 5 and len(line) < 140 and line.endswith(".") for line in lines)


def test_help_tells_the_defaults_of_the_method_and_the_encoder(capsys):
    def told(*words):
        with pytest.raises(SystemExit):
            cli.main(["pretrain", *words, "--help"])
        return " ".join(capsys.readouterr().out.split())

    shown = {words: told(*words) for words in ((), ("encoder=resnet9",), ("--method", "w_mse"), ("method=cpc",))}
    views = {
        words: text.split("a preset, none, or a YAML file (default: ")[1].split(")")[0] for words, text in shown.items()
    }
    assert list(views.values()) == ["roaming", "images", "roaming", "article"]
    assert "none (every frame) (default: frames:2)" in shown[()]
    assert "none (every frame) (default: all)" in shown["encoder=resnet9",]
    assert "over all devices (default: 128)" in shown["--method", "w_mse"]


def test_the_configurations_are_installed_with_the_package(tmp_path):
    root = configuration.CONFIGS.parent
    words = ["setup.py", "-q", "build_py", "--build-lib", tmp_path / "lib"]
    subprocess.run([sys.executable, *words], cwd=root, check=True, capture_output=True)
    built = tmp_path / "lib" / "seqclr" / "configs"
    assert {file.stem for file in built.glob("*.yaml")} == set(named_configs())
    assert (tmp_path / "lib" / "seqclr" / "methods" / "contrastive" / "simclr.py").is_file()
