"""The foreground of images, and what replaces their background."""

import string

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from seqclr.data import images
from seqclr.data.dataset import ImageDataset
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.synthesis import drawing, encoding, variety
from seqclr.synthesis.styles import load_style
from seqclr.transforms.apply import augment
from seqclr.transforms.background import MODES, Background
from seqclr.transforms.saliency import find_ink, find_salient, spectral_residual
from seqclr.transforms.views import Views, groups

HEIGHT, WIDTH = 32, 128
# mean overlap with the generator's mask, resized like the image; those of meters have the wheels
OVERLAP = {"digits": 0.8, "gradient": 0.8, "login": 0.75, "noisy": 0.7, "overlap": 0.8, "ticket": 0.7, "lines": 0.5}


def overlap(labelled) -> float:
    """The intersection over union of the ink that is found and that of the generator."""
    image, _ = images.fit(np.asarray(labelled.image), HEIGHT, WIDTH)
    truth, _ = images.fit(np.repeat(255 * labelled.ink[..., None].astype(np.uint8), 3, 2), HEIGHT, WIDTH)
    found, truth = find_ink(image) > 0, truth[..., 0] > 127
    return (found & truth).sum() / (found | truth).sum()


@pytest.mark.parametrize("name", OVERLAP)
def test_the_ink_is_that_of_the_generator(name):
    style = load_style(name)
    drawn = [drawing.draw_labelled(style, np.random.default_rng(seed)) for seed in range(10)]
    assert np.mean([overlap(each._replace(image=encoding.loaded(style, each.image))) for each in drawn]) > OVERLAP[name]


def test_the_ink_of_any_style_is_mostly_found():
    """Faint, cluttered and speckled texts too: the best threshold of each image has 0.56."""
    texts = variety.Texts(string.digits + string.ascii_letters)
    found = [overlap(variety.draw_labelled(texts, np.random.default_rng(seed))[0]) for seed in range(60)]
    assert np.mean(found) > 0.45


def test_the_mask_of_the_generator_moves_with_the_text():
    style = load_style("digits")
    style.ripple, style.blur, style.text_colours, style.background_colours = 4.0, [0, 0], ["black"], ["white"]
    style.colour_jitter, style.curves, style.dots, style.lines, style.background = 0, [0, 0], [0, 0], [0, 0], "plain"
    drawn = drawing.draw_labelled(style, np.random.default_rng(0))
    assert ((np.asarray(drawn.image)[..., 0] < 128) == drawn.ink).mean() > 0.99


def test_the_spectral_residual_is_that_of_another_computation():
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    gray = np.rint(image @ [0.299, 0.587, 0.114])
    frequencies = [np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n) for n in gray.shape]
    spectrum = frequencies[0] @ gray @ frequencies[1]
    amplitude = np.log(np.abs(spectrum))
    kept = np.exp(amplitude - ndimage.uniform_filter(amplitude, 3, mode="mirror")) * spectrum / np.abs(spectrum)
    inverse = frequencies[0].conj() @ kept @ frequencies[1].conj() / gray.size
    saliency = ndimage.gaussian_filter(np.abs(inverse) ** 2, 0.04 * 64, mode="mirror", truncate=4)
    np.testing.assert_allclose(spectral_residual(image), saliency / saliency.max(), atol=0.01)


def test_an_object_on_a_texture_is_salient():
    rng = np.random.default_rng(0)
    image = np.tile(np.indices((64, 64)).sum(0)[..., None] % 8 * 20, 3).astype(np.uint8)
    image[24:40, 24:40] = rng.integers(0, 256, (16, 16, 3))
    salient = find_salient(image)
    assert salient[26:38, 26:38].mean() > 0.5 and salient[:12].mean() < 0.1


def line(paper):
    """Five bars of black ink on a paper with a gradient of one channel."""
    image = np.full((HEIGHT, WIDTH, 3), paper, np.uint8)
    image[..., 0] = np.linspace(150, 250, WIDTH)
    for x in range(10, 120, 24):
        image[6:26, x : x + 5] = 0
    return image


@pytest.mark.parametrize("mode", MODES)
def test_the_ink_stays_and_the_background_changes(tmp_path, mode):
    papers = [(200, 255, 255), (200, 120, 60), (200, 60, 200)]
    dataset = dataset_of(tmp_path, [line(paper) for paper in papers])
    step, ink = Background(mode, p=1.0), find_ink(line(papers[0])) > 0
    assert ink.mean() == pytest.approx(5 * 20 * 5 / (HEIGHT * WIDTH), rel=0.3)
    backgrounds = set()
    for seed in range(12):
        step.set_random_seed(seed)
        record = dataset[0]
        view = step(image=record["image"], others=record.others)["image"]
        assert view[ink].mean() < 60  # the edges are mixed
        assert np.abs(view[~ink].mean(0) - view[ink].mean(0)).max() > 60
        backgrounds.add(tuple(np.median(view[~ink], 0)[1:].astype(int)))
    assert len(backgrounds) > 5 if mode != "swap" else backgrounds == {papers[1][1:], papers[2][1:]}


def dataset_of(folder, pixels, sources=None):
    samples = []
    for i, image in enumerate(pixels):
        file = folder / f"{i}.png"
        Image.fromarray(image).save(file)
        samples.append(Sample(sources[i] if sources else "all", str(file)))
    return ImageDataset(samples, HEIGHT, WIDTH, "stretch")


def test_others_are_all_but_the_own_and_of_the_source_if_so_asked(tmp_path):
    dataset = dataset_of(tmp_path, [np.full((HEIGHT, WIDTH, 3), i, np.uint8) for i in range(5)], list("abaab"))
    rng = np.random.default_rng(0)
    drawn = [{int(dataset[2].others.draw(rng, same)[0, 0, 0]) for _ in range(40)} for same in (False, True)]
    assert drawn == [{0, 1, 3, 4}, {0, 3}]
    single = dataset_of(tmp_path, [np.full((HEIGHT, WIDTH, 3), 9, np.uint8)])
    assert single[0].others.draw(rng, True)[0, 0, 0] == 9


def test_an_image_without_ink_or_others_is_unchanged():
    plain, image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8), line((200, 255, 255))
    step = Background("remove", p=1.0)
    assert (step(image=plain)["image"] == plain).all()
    swapped = Background("swap", p=1.0)(image=image)["image"]
    assert np.abs(swapped.astype(int) - image).mean() < 5


@pytest.mark.parametrize("name", ["roaming", "images"])
def test_presets_with_a_background_have_the_steps_of_another_one(tmp_path, name):
    steps = groups(f"{name}_background")[0].steps
    assert isinstance(steps[0], Background) and steps[1:] == groups(name)[0].steps
    dataset = dataset_of(tmp_path, [line((200, 255, 255)), line((200, 60, 60))])
    views = [augment(Views(f"{name}_background"), dataset[0], np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert (views[0] == views[1]).all() and (views[0] != views[2]).any()


@pytest.mark.parametrize(
    ("text", "word"),
    [("- {name: Background, mode: swop}", "mode swop"), ("- {name: Background, saliency: eyes}", "saliency eyes"),
     ("- {preset: raoming}", "'raoming' is no preset"), ("- {preset: multicrop}", "groups"),
     ("- {preset: images, p: 0.5}", "no other keys")],
)  # fmt: skip
def test_wrong_steps_are_refused(tmp_path, text, word):
    file = tmp_path / "views.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=word):
        Views(str(file))
