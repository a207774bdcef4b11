"""Keys: what a value may be, for every key that there is, and that a configuration is data and nothing else."""

import dataclasses
import io
import math

import numpy as np
import pytest

from seqclr import cli
from seqclr.config import (
    RENAMED_KEYS,
    RENAMED_VALUES,
    AdaptConfig,
    EvolveConfig,
    FinetuneConfig,
    PretrainConfig,
    check_keys,
    key,
    load_yaml,
    renamed,
    resolve,
    save,
)
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.text.adaptation import Adaptation
from seqclr.methods.text.ctc import CTC
from seqclr.methods.text.distillation import Distillation
from seqclr.methods.text.self_training import SelfTraining

TUNED = (CTC, SelfTraining, Distillation)
KINDS = [
    *((PretrainConfig, cls) for cls in METHODS.values()),
    *((FinetuneConfig, cls) for cls in TUNED),
    (EvolveConfig, METHODS["simclr"]),
    (AdaptConfig, Adaptation),
]
FIELDS = {id(field): (*kind, field) for kind in KINDS for part in kind for field in dataclasses.fields(part)}


def wrong(field) -> list:
    """Values that the key cannot have."""
    kind, limits = field.type, field.metadata
    values = [
        {"a": 1},
        float("nan"),
        1.5 if "int" in kind else "\0",
        *([] if "None" in kind or "list" in kind else [None]),
    ]
    if kind == "bool":
        return [*values, 7, "7", "yes", ""]
    if limits["choices"]:
        return [*values, "none of these", "", 77, ["a", "b"]]
    if "str" in kind:
        return [*values, 77, True, "", [["a"], "b"], [None]]
    beyond = [limits["least"] - 1, limits["most"] + 1, 10**30, str(limits["least"] - 1)]
    return [*values, *beyond, math.inf, -math.inf, "nan", "-inf", "many", "", True, [1, 2]]


@pytest.mark.parametrize("base, method, field", FIELDS.values(), ids=lambda value: getattr(value, "name", ""))
def test_a_key_has_a_type_and_a_range_and_all_else_is_refused(base, method, field):
    resolve(base, method)
    for value in wrong(field):
        with pytest.raises(UserError, match=f"^{field.name}[ =]") as refused:
            resolve(base, method, [{field.name: value}])
        assert len(str(refused.value)) < 600 and "\n" not in str(refused.value)


def test_a_key_cannot_be_without_its_range():
    for default in (1, 0.5, "text", None, []):
        with pytest.raises(TypeError, match="range"):
            key(default, "help")
    assert len(FIELDS) > 120
    for _, _, field in FIELDS.values():
        assert set(field.metadata) == {"help", "least", "most", "choices"} and field.type.split(" ")[0] in (
            "bool",
            "int",
            "float",
            "str",
            "list[str]",
        )


def test_a_method_that_is_made_in_python_has_the_same_ranges():
    with pytest.raises(UserError, match="target_momentum nan: 0 to 1"):
        METHODS["byol"](target_momentum=math.nan)
    with pytest.raises(UserError, match="directions 3 is not known: 1, 2, 4"):
        METHODS["cpc"](directions=3)
    check_keys(METHODS["simclr"](temperature=0.5))


LITERAL = [
    *("[]ab", "[{text}]_{any}.png", "${x}012", "${oc.env:HOME}", "${oc.decode:1}", "???", "null2", "{a: 1}"),
    *("01234567", "no", "1e5", "1_000", "1:30", "2024-01-01", "~", " a ", "a: b # c", "!!python/none", "&a", "*a"),
    *(
        "'\"\\",
        "\t",
        "漢字",
        "\u200b",
        "\ue000",
        "\U0001f600",
        "a\nb",
        "%d %s",
        "<<",
        "-",
        "0x1f",
        ".5",
        "+1.e3",
        "\udcff",
    ),
]


@pytest.mark.parametrize("text", LITERAL)
def test_a_text_is_taken_as_it_is_and_kept(text, tmp_path):
    values = {"charset": text, "label_pattern": text, "data": [text, f"x/{text}"], "validation": text, "views": text}
    config = resolve(FinetuneConfig, CTC, [values])
    assert {name: getattr(config, name) for name in values} == values
    stream = io.StringIO()
    save(config, stream)
    (tmp_path / "config.yaml").write_text(stream.getvalue(), encoding="utf-8")
    again = resolve(FinetuneConfig, CTC, [load_yaml(tmp_path / "config.yaml")])
    assert dataclasses.asdict(again) == dataclasses.asdict(config)


@pytest.mark.parametrize("text", ["[]ab", "${x}012", "${oc.env:HOME}", "???", "01", "no", "[a"])
def test_flags_words_and_folders_are_texts_too(text, monkeypatch):
    seen = []
    monkeypatch.setattr("seqclr.recognition.finetune.finetune", lambda config, *_: seen.append(config) or {})
    for words in (["--charset", text], [f"charset={text}"]):
        assert cli.main(["finetune", "--data", text, "--output", "run", *words, "validation=null"]) == 0
        assert seen[-1].charset == text and seen[-1].data == [text] and seen[-1].validation is None


def resolved(tmp_path, text: str | bytes):
    file = tmp_path / "config.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return resolve(FinetuneConfig, CTC, [load_yaml(file)])


def test_numbers_of_numpy_are_numbers():
    keys = {"steps": np.int64(3), "learning_rate": np.float32(0.5), "batch_size": np.uint8(4)}
    config = resolve(FinetuneConfig, CTC, [keys])
    assert (config.steps, config.learning_rate, config.batch_size) == (3, 0.5, 4) and type(config.steps) is int
    with pytest.raises(UserError, match="steps=2.5 does not fit: a whole number"):
        resolve(FinetuneConfig, CTC, [{"steps": np.float32(2.5)}])


@pytest.mark.parametrize(
    "text", ["01234567", "no", "1e5", "1.0", "1:30", "0x1f", "2024-01-01", "true", "[a]", "{a: b}", ".inf"]
)
def test_what_yaml_reads_as_something_else_is_to_be_put_in_quotes(tmp_path, text):
    with pytest.raises(UserError, match="^charset=.* does not fit: it must be a text, so put it in quotes"):
        resolved(tmp_path, f"charset: {text}")
    assert resolved(tmp_path, f"charset: '{text}'").charset == text


def test_numbers_of_a_file(tmp_path):
    config = resolved(tmp_path, "learning_rate: 1e-3\nclip: 1\nsteps: '7'\ndeterministic: yes\ndata: pages\nlabels:\n")
    assert (config.learning_rate, config.clip, config.steps, config.labels) == (1e-3, 1.0, 7, None)
    assert config.deterministic is True and config.data == ["pages"]
    assert resolved(tmp_path, b"\xef\xbb\xbfsteps: 7").steps == 7


def test_keys_and_values_by_their_older_names(caplog):
    """Each maps to a present key, with a note, and resolves."""
    fields = {field.name: (base, method, field) for base, method, field in FIELDS.values()}
    for old, new in RENAMED_KEYS.items():
        base, method, field = fields[new]
        assert old not in fields and renamed({old: field.default}, f"a file with {old}") == {new: field.default}
        assert f"{old}={field.default} is called {new}={field.default} now" in caplog.text
        with pytest.raises(UserError, match=f"a file: {new} is given twice, also by its older name"):
            renamed({old: field.default, new: field.default}, "a file")
    for (name, old), new in RENAMED_VALUES.items():
        base, method, field = fields[name]
        assert old not in field.metadata["choices"]
        assert getattr(resolve(base, method, [renamed({name: old}, "a file")]), name) == new


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi"))


@pytest.mark.parametrize(
    "text, message",
    [
        (b"charset: \xff", "not UTF-8"),
        (b"charset: a\0b", "not a YAML file"),
        ("steps: [1", "not a YAML file \\(line 1: "),
        ("a: !!python/object/apply:os.system [ls]", "not a YAML file \\(line 1: .*python"),
        ("a: !ours b", "not a YAML file"),
        ("a: !!int b", "not a YAML file"),
        ("a: 2024-13-45", "not a YAML file"),
        ("steps: &a 7\nlabels: *a", "line 2: aliases are not allowed"),
        (BOMB, "aliases are not allowed"),
        ("steps: 7\nsteps: 8", "a key is given twice"),
        ("1: 2", "the key '1' does not exist"),
        ("[a]: b", "not a YAML file"),
        ("? {a: b}\n: c", "not a YAML file"),
        ("- a", "not a list of 'key: value' lines"),
        ("", "not a list of 'key: value' lines"),
        ("steps: 1\n---\nsteps: 2", "not a YAML file"),
        ("a: " + "[" * 50_000, "nested too deeply"),
        ("a: " + "{b: " * 5_000, "nested too deeply"),
        ("charset: " + "a" * 300_000, "has more than 262144 characters"),
        ("${x}: 1", "the key '\\${x}' does not exist"),
        ('"a\\nb": 1', "does not exist"),
        ("steps: " + "9" * 5000, "not a YAML file"),
        ("steps: 0x" + "9" * 5000, "steps \\.\\.\\.: 1 to 100000000"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_configuration_is_one_sentence(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as refused:
        resolved(tmp_path, text)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 1000


def test_a_file_that_cannot_be_opened(tmp_path):
    for file in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(UserError, match="cannot be opened"):
            load_yaml(file)


@pytest.mark.parametrize(
    "words, message",
    [
        ("launch --local 0 -- pretrain", "local 0: at least 1"),
        ("show-task --data a --output x.png --images 0", "images 0: at least 1"),
        ("evaluate --model a --data b --beam 1000000", "beam 1000000: 1 to 1000"),
        ("predict --model a --beam 0 b.png", "beam 0: at least 1"),
        ("predict --model a --beam 2.5 b.png", "beam=2.5 does not fit: a whole number"),
        ("probe --model a --data b --temperature nan", "temperature nan: "),
        ("probe --model a --data b --temperature inf", "temperature inf: "),
        ("probe --model a --data b --k 0", "k 0: at least 1"),
        ("probe --model a --data b --steps -1", "steps -1: at least 1"),
        ("probe --model a --data b --labels x", "labels=x does not fit: a whole number"),
        ("embed --model a --data b --output x.png --count 0", "count 0: at least 1"),
        ("embed --model a --data b --output x.png --seed -1", "seed -1: at least 0"),
        ("pseudo-labels --model a --output x.csv --clusters 1", "clusters 1: at least 2"),
        ("check a --height 0", "height 0: at least 8"),
        ("check a --width 10000000", "width 10000000: 8 to 10000"),
        ("pack a --output b --shard-size 0", "shard_size 0: at least 1"),
        ("synth --output a --count -1", "count -1: at least 0"),
        ("synth --output a --count 99999999999", "count 99999999999: 0 to "),
        ("synth --output a --count 1 --seed 4294967296", "seed 4294967296: 0 to 4294967295"),
        ("show-views --data a --output x.png --copies 0", "copies 0: at least 1"),
        ("show-views --data a --output x.png --copies 1000000", "copies 1000000: 1 to 1000"),
        (
            "show-views --data a --output x.png --images 1000 --copies 1000 --width 9999 --height 999",
            "a sheet of images 1000 and copies 1000 of 999x9999 takes at least ",
        ),
        ("show-views --data a --output x.png --images -3", "images -3: at least 1"),
        ("show-views --data a --output x.png --height 0", "height 0: at least 8"),
    ],
)  # fmt: skip
def test_numbers_of_verbs_have_ranges(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words.split()) == 2
    assert message in capsys.readouterr().err and not list(tmp_path.iterdir())
