"""Sites drawn by captcha libraries, as data for benchmarks/new_sites.py where no real site's images are at hand.

    python -m venv drawing && drawing/bin/pip install wheezy.captcha django-simple-captcha cairosvg matplotlib
    npm install svg-captcha trek-captcha
    drawing/bin/python benchmarks/library_sites.py --output DATA
    python benchmarks/new_sites.py --data DATA --output runs/library_sites --arms reader adapted --labels 0 20 \
        --sites lib_django lib_svg lib_trek lib_wheezy

The environment is one of its own, as django-simple-captcha has a module of the same name as `captcha`, which this
package needs. Every library draws with its default settings; the texts are as its documentation has them. DATA/lib_NAME
holds the images and labels.csv (file,text,split), half of the rows of each split.
"""

from __future__ import annotations

import argparse
import base64
import csv
import io
import json
import random
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
from PIL import Image

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
SVG = "const s = require('svg-captcha'); for (let i = 0; i < %d; i++) console.log(JSON.stringify(s.create()))"
TREK = """const draw = require('trek-captcha'); (async () => { for (let i = 0; i < %d; i++) {
    const drawn = await draw();
    console.log(JSON.stringify({text: drawn.token, data: drawn.buffer.toString('base64')}));
} })()"""


def django(count: int) -> Iterator[tuple[str, Image.Image]]:
    """django-simple-captcha: four capital letters with dots and arcs."""
    from django import setup
    from django.conf import settings
    from django.core.management import call_command
    from django.test import RequestFactory

    database = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    settings.configure(INSTALLED_APPS=["captcha"], DATABASES=database, ROOT_URLCONF="captcha.urls", SECRET_KEY="-")
    setup()
    from captcha.models import CaptchaStore  # of django-simple-captcha, not of the library `captcha`
    from captcha.views import captcha_image

    call_command("migrate", verbosity=0)
    for _ in range(count):
        text = "".join(random.choices(string.ascii_uppercase, k=4))
        stored = CaptchaStore.objects.create(challenge=text, response=text.lower())
        answer = captcha_image(RequestFactory().get("/"), stored.hashkey)
        yield text, Image.open(io.BytesIO(answer.content))


def svg(count: int) -> Iterator[tuple[str, Image.Image]]:
    """svg-captcha: four letters or digits in a hollow font, with a curve."""
    from cairosvg import svg2png

    for code in from_node(SVG % count):
        yield code["text"], Image.open(io.BytesIO(svg2png(code["data"].encode(), background_color="white")))


def trek(count: int) -> Iterator[tuple[str, Image.Image]]:
    """trek-captcha: five small letters, turned and of one colour, with a bent stroke and dots."""
    for code in from_node(TREK % count):
        yield code["text"], Image.open(io.BytesIO(base64.b64decode(code["data"])))


def from_node(program: str) -> list[dict]:
    """The lines of JSON that a program prints. Exits where it fails."""
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"node failed: run npm install svg-captcha trek-captcha in this folder\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def wheezy(count: int) -> Iterator[tuple[str, Image.Image]]:
    """wheezy.captcha: four different capital letters or digits, warped and turned, with a curve and dots."""
    from wheezy.captcha import image

    moved = [image.warp(), image.rotate(), image.offset()]
    fonts = [str(FONTS / name) for name in ("DejaVuSans.ttf", "DejaVuSerif.ttf")]
    steps = [image.background(), image.text(fonts=fonts, drawings=moved), image.curve(), image.noise(), image.smooth()]
    draw = image.captcha(drawings=steps)
    for _ in range(count):
        text = "".join(random.sample(string.ascii_uppercase + string.digits, 4))
        yield text, draw(text)


LIBRARIES = {"django": django, "svg": svg, "trek": trek, "wheezy": wheezy}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--images", type=int, default=1000, help="of each library")
    args = parser.parse_args()
    for name in args.libraries:
        site = args.output / f"lib_{name}"
        if (site / "labels.csv").exists():
            sys.exit(f"{site} exists: give another --output")
        (site / "images").mkdir(parents=True, exist_ok=True)
        random.seed(0)  # the Python libraries draw from it as well; those for node can't be seeded
        rows = []
        for number, (text, image) in enumerate(LIBRARIES[name](args.images)):
            file = f"{number:04}.png"
            image.convert("RGB").save(site / "images" / file)
            rows.append((file, text, "test" if number % 2 else "train"))
        with open(site / "labels.csv", "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("file", "text", "split"), *rows])
        print(f"{site}: {len(rows)} images")


if __name__ == "__main__":
    main()
