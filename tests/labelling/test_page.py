"""The labelling page in a real browser, with the reader of the package and generated images, by keyboard."""

import contextlib
import csv
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqclr.curation import contradictions
from seqclr.curation.contradictions import Contradiction
from seqclr.labelling import progress, server
from seqclr.labelling.session import Change
from seqclr.synthesis import generate
from tests.deployment.logins import needs_chromium, serving
from tests.labelling.pictures import draw
from tests.labelling.test_app import Training, session_of

pytestmark = [needs_chromium, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
HTML = '<img src=x onerror="window.harmed=1">'
# The least contrast of a text with its background (WCAG 2.2), and that text
CONTRAST = """() => {
  const rgb = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (colour) => rgb(colour).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const solid = (e) => { while (e && rgb(getComputedStyle(e).backgroundColor)[3] === 0) e = e.parentElement;
    return e ? getComputedStyle(e).backgroundColor : "rgb(255, 255, 255)"; };
  const ratios = [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility() && (e.value || [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())))
    .map((e) => [[light(getComputedStyle(e).color), light(solid(e))].sort((a, b) => a - b), e.outerHTML])
    .map(([[dark, bright], text]) => [(bright + 0.05) / (dark + 0.05), text]);
  return ratios.sort((a, b) => a[0] - b[0])[0];
}"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """60 images of digits without labels, one of them with HTML in its name."""
    folder = tmp_path_factory.mktemp("label") / "images"
    generate.generate(folder, 60, "digits", progress=False)
    (folder / "labels.csv").unlink()
    first = min((folder / "images").iterdir())
    first.rename(first.with_name(f"0 {HTML}.png"))
    return folder


@pytest.fixture
def folder(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture(scope="module")
def browser():
    module = pytest.importorskip("playwright.sync_api", exc_type=ImportError)
    with module.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@pytest.fixture
def tab(browser):
    """A new window; errors of its scripts fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab, errors = context.new_page(), []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.set_default_timeout(20_000)
    yield tab
    context.close()
    assert not errors


@contextlib.contextmanager
def labelling(folder, *options):
    """The program; yields the process and the address."""
    words = ["label", folder, "--labels", folder / "labels.csv", "--charset", "0123456789", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "seqclr", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            if process.poll() is None:
                process.terminate()
                assert process.wait(20) == 0


def open_page(tab, address):
    """Opens the page and waits until all images are predicted."""
    tab.goto(address)
    wait_for(tab, "#progress", "Labelled")
    tab.locator("#progress", has_not_text="Predictions to come").wait_for()
    tab.select_option("#order", "name")
    tab.focus("#text")


def wait_for(tab, selector, text):
    """Waits until the element has the text; scripts of tests cannot wait, as the page forbids to evaluate strings."""
    tab.locator(selector, has_text=text).wait_for()


def shown(tab):
    """The name and text of the image that is shown."""
    return re.sub(r"^\d+ of \d+: |, labelled.*$", "", tab.inner_text("#position")), tab.input_value("#text")


def saved(tab, count):
    """Waits until the page says that so many labels were saved since it was opened."""
    wait_for(tab, "#status", f"Saved. {count} ")


def rows(folder):
    with open(folder / "labels.csv", encoding="utf-8", newline="") as stream:
        return {row["file"]: (row["text"], row["source"]) for row in csv.DictReader(stream)}


def label_one_by_one(tab, count):
    """Accepts texts by keyboard, and types every fifth; returns the labels."""
    given = {}
    for number in range(count):
        name, text = shown(tab)
        if number % 5 == 4:
            text = f"{number:04}" if text != f"{number:04}" else "7"
            tab.keyboard.type(text)
        tab.keyboard.press("Enter")
        given[name] = text, "corrected" if number % 5 == 4 else "accepted"
    saved(tab, count)
    return given


def test_sixty_images_by_keyboard_with_a_reload_and_a_kill(folder, tab):
    with labelling(folder) as (process, address):
        open_page(tab, address)
        expected = label_one_by_one(tab, 15)
        tab.reload()
        open_page(tab, address)
        expected |= label_one_by_one(tab, 10)
        process.kill()
        process.wait()
    with labelling(folder) as (process, address):
        open_page(tab, address)
        assert "25 of 60" in tab.inner_text("#progress")
        expected |= label_one_by_one(tab, 5)
        name, _ = shown(tab)
        tab.keyboard.press("Escape")
        saved(tab, 6)
        tab.keyboard.press("Enter")
        saved(tab, 7)
        tab.keyboard.press("Control+z")
        wait_for(tab, "#status", "Undone.")
        tab.keyboard.press("ArrowDown")
        tab.keyboard.press("ArrowUp")
        tab.click("#mode-grid")
        tab.select_option("#order", "text")
        assert tab.locator(".tile").count() == 29
        first, second, third = (tab.locator(".tile").nth(number) for number in range(3))
        first.locator("input").focus()
        tab.keyboard.type("31")
        tab.keyboard.press("Enter")
        tab.keyboard.press("Escape")  # the second is wrong
        tab.keyboard.press("Enter")
        assert third.locator("input").evaluate("input => input === document.activeElement")
        texts = "t => [t.querySelector('img').alt.slice('Image '.length), t.children[1].value]"
        tiles = tab.evaluate(f"[...document.querySelectorAll('.tile')].map({texts})")
        tab.keyboard.press("Control+Enter")
        saved(tab, 6 + 28)
        assert tab.locator(".tile").count() == 1  # the one that is wrong
        expected |= {tile: (text, "accepted") for tile, text in tiles}
        expected[tiles[0][0]] = "31", "corrected"
        del expected[tiles[1][0]]
        process.kill()
        process.wait()
    with labelling(folder) as (_, address):
        open_page(tab, address)
        assert "58 of 60, 1 unreadable" in tab.inner_text("#progress")
    assert rows(folder) == expected
    assert name not in expected and len(expected) == 58


def test_text_in_names_and_labels_is_only_text(folder, tab):
    with labelling(folder) as (_, address):
        open_page(tab, address)
        name, text = shown(tab)
        assert HTML in name
        tab.keyboard.type(HTML)
        tab.keyboard.press("Enter")
        wait_for(tab, "#status.error", "which --charset does not have")
        assert shown(tab) == (name, HTML)  # it can be corrected
        tab.keyboard.type("12")
        tab.keyboard.press("Enter")
        saved(tab, 1)
        for filter in ("labelled", "all"):
            tab.select_option("#filter", filter)
            tab.click("#mode-grid")
            assert HTML in tab.locator(".tile img").first.get_attribute("alt")
            tab.click("#mode-one")
        assert tab.evaluate("window.harmed") is None
    assert rows(folder) == {name: ("12", "corrected")}


def test_typed_texts_stay_in_the_grid_until_they_are_saved(folder, tab):
    with labelling(folder) as (_, address):
        open_page(tab, address)
        tab.click("#mode-grid")
        first, second = (tab.locator(".tile").nth(number).locator("input") for number in (0, 1))
        first.fill("1x")
        second.fill("31")
        tab.keyboard.press("Control+Enter")
        wait_for(tab, "#status.error", "which --charset does not have")
        for filter in ("all", "unlabelled"):
            assert (first.input_value(), second.input_value()) == ("1x", "31")
            assert tab.locator(".tile").count() == 60 and tab.locator(".tile.changed").count() == 2
            tab.select_option("#filter", filter)
        first.fill("12")
        count = tab.evaluate("[...document.querySelectorAll('.tile input')].filter((e) => e.value).length")
        tab.keyboard.press("Control+Enter")
        saved(tab, count)
        tab.select_option("#filter", "labelled")
        assert tab.locator(".tile").count() == count and not tab.locator(".tile.changed").count()
    assert {"12", "31"} <= {text for text, _ in rows(folder).values()} and len(rows(folder)) == count


def test_the_browser_asks_before_typed_texts_are_lost(folder, tab):
    asked = []
    tab.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    with labelling(folder) as (_, address):
        open_page(tab, address)
        tab.keyboard.type("12")
        tab.reload()
        assert asked == ["beforeunload"]
        open_page(tab, address)
        tab.keyboard.type("12")
        tab.keyboard.press("Enter")
        saved(tab, 1)
        tab.reload()
        assert asked == ["beforeunload"]


def test_two_windows_do_not_overwrite_each_other(folder, tab):
    with labelling(folder) as (_, address):
        open_page(tab, address)
        other = tab.context.new_page()
        open_page(other, address)
        name, _ = shown(tab)
        assert shown(other)[0] == name
        held, is_held = [], [True]  # a window that is not refreshed yet
        other.route("**/state*", lambda route: held.append(route) if is_held else route.continue_())
        tab.keyboard.type("11")
        tab.keyboard.press("Enter")
        saved(tab, 1)
        other.keyboard.type("22")
        other.keyboard.press("Enter")
        wait_for(other, "#status.error", "in another window since it was shown. Your text: 22")
        is_held.clear()
        for route in held:
            route.continue_()
        wait_for(other, "#position", "labelled (corrected)")
        assert shown(other) == (name, "11")
    assert rows(folder) == {name: ("11", "corrected")}


def test_it_opens_on_contradicted_labels(folder, tab):
    names = sorted(path.name for path in (folder / "images").iterdir())[1:6]
    (folder / "labels.csv").write_text("file,text\n" + "".join(f"{name},12\n" for name in names))
    listed = [Contradiction(str(folder / "images" / name), "12", "34", "0.9", "5.0", "yes") for name in names[::-1]]
    contradictions.write(listed, folder)
    with labelling(folder, "--errors", folder) as (_, address):
        tab.goto(address)
        wait_for(tab, "#position", f"1 of 5: {names[4]}, labelled (given), contradicted")
        assert tab.input_value("#text") == "12" and tab.inner_text("#prediction").startswith("34")
        tab.keyboard.press("Enter")  # the label is right
        wait_for(tab, "#position", names[3])
        tab.keyboard.type("35")
        tab.keyboard.press("Enter")
        wait_for(tab, "#position", names[2])
        tab.keyboard.press("Shift+Enter")
        saved(tab, 3)
        tab.reload()
        wait_for(tab, "#position", f"1 of 2: {names[1]}")
        tab.click("#mode-grid")
        tab.keyboard.press("Shift+Enter")  # the prediction is in the field
        assert tab.locator(".tile.changed input").input_value() == "34"
        tab.keyboard.press("Control+Enter")
        saved(tab, 1)
        tab.reload()
        wait_for(tab, "#position", f"1 of 1: {names[0]}")
        assert "Predictions that you accepted\n67" in tab.inner_text("#progress")
    changed = {names[1]: ("34", "accepted"), names[2]: ("34", "accepted"), names[3]: ("35", "corrected")}
    assert rows(folder) == {names[0]: ("12", "given"), names[4]: ("12", "given"), **changed}


def test_marks_of_wrong_texts_outlast_a_reload_and_a_kill(folder, tab):
    with labelling(folder) as (process, address):
        open_page(tab, address)
        tab.click("#mode-grid")
        second = tab.locator(".tile").nth(1)
        second.locator("input").fill("12")
        tab.keyboard.press("Control+Enter")
        wait_for(tab, "#status", "Saved.")
        tab.select_option("#filter", "all")
        second, third = (tab.locator(".tile").nth(number) for number in (1, 2))
        kept = tuple(third.evaluate("t => [t.querySelector('img').alt.slice('Image '.length), t.children[1].value]"))
        for tile in (second, third):
            tile.locator("button").click()
        wait_for(tab, "#status", "Marked as wrong")
        tab.reload()
        open_page(tab, address)
        tab.select_option("#filter", "all")
        tab.click("#mode-grid")
        third.locator("button").click()  # the third is right
        wait_for(tab, "#status", "No longer marked")
        tab.click("#mode-one")
        open_page(tab, address)
        tab.select_option("#filter", "wrong")
        name, _ = shown(tab)
        assert tab.inner_text("#position").startswith("1 of 1: ") and "marked as wrong" in tab.inner_text("#position")
        process.kill()
        process.wait()
    name = name.removesuffix(", marked as wrong")
    with labelling(folder) as (_, address):
        open_page(tab, address)
        tab.select_option("#filter", "wrong")
        wait_for(tab, "#position", f"1 of 1: {name}, marked as wrong")
        tab.keyboard.type("13")
        tab.keyboard.press("Enter")
        saved(tab, 1)
        tab.keyboard.press("Control+z")
        wait_for(tab, "#position", f"1 of 1: {name}, marked as wrong")
    found = rows(folder)
    assert name not in found and found[kept[0]] == (kept[1], "accepted")


def test_an_emptied_field_is_not_skipped(folder, tab):
    with labelling(folder) as (_, address):
        open_page(tab, address)
        tab.click("#mode-grid")
        first = tab.locator(".tile input").first
        first.fill("")
        tab.keyboard.press("Control+Enter")
        wait_for(tab, "#status.error", "press Esc to mark it as wrong")
        assert first.evaluate("input => input === document.activeElement")
        tab.keyboard.press("Escape")
        tab.keyboard.press("Control+Enter")
        wait_for(tab, "#status", "Saved.")
        wait_for(tab, "#range", "1 to 1 of 1")
        assert tab.locator(".tile.wrong").count() == 1


def test_lists_are_used_by_keyboard(folder, tab):
    """A list keeps the focus while the arrow keys change it; Enter goes to the images."""
    with labelling(folder) as (_, address):
        open_page(tab, address)
        tab.focus("#order")
        for field in ("#text", ".tile input"):
            tab.keyboard.press("Home")
            tab.keyboard.press("ArrowDown")
            tab.keyboard.press("ArrowDown")
            assert tab.input_value("#order") == "confidence"
            assert tab.locator("#order").evaluate("e => e === document.activeElement")
            tab.keyboard.press("Enter")
            assert tab.locator(field).first.evaluate("e => e === document.activeElement")
            tab.focus("#mode-grid")
            tab.keyboard.press("Enter")
            tab.focus("#order")
        tab.mouse.click(5, 5)
        tab.select_option("#order", "name")  # as by pointer: the next key is for the images
        assert tab.locator(".tile input").first.evaluate("e => e === document.activeElement")


def test_undo_goes_to_the_page_of_what_is_undone(tmp_path, tab):
    for number in range(205):
        Image.fromarray(np.full((8, 24, 3), number, np.uint8)).save(tmp_path / f"{number:03}.png")
    with labelling(tmp_path) as (_, address):
        open_page(tab, address)
        tab.focus("#text")
        tab.fill("#text", "")
        tab.keyboard.press("Enter")
        wait_for(tab, "#status.error", "Type the text")
        tab.click("#mode-grid")
        assert tab.inner_text("#status") == "" and not tab.locator("#status.error").count()
        third = tab.locator(".tile input").nth(2)
        third.fill("31")
        tab.keyboard.press("Control+Enter")
        wait_for(tab, "#range", "201 to 205 of 205")
        wait_for(tab, "#status", "Saved.")
        tab.keyboard.press("Control+z")
        wait_for(tab, "#range", "1 to 200 of")
        wait_for(tab, "#status", "Undone")
        for key, part in (("Down", "201 to 205"), ("Down", "201 to 205"), ("Up", "1 to 200"), ("Up", "1 to 200")):
            tab.keyboard.press(f"Control+Arrow{key}")
            wait_for(tab, "#range", f"{part} of 205")


def test_what_has_the_focus_is_not_covered(folder, tab):
    """By the buttons, which stay at the top of the window, nor is its thumbnail."""
    is_covered = """button => { const { x, y, width } = button.getBoundingClientRect();
      return !button.contains(document.elementFromPoint(x + width / 2, y + 2)); }"""
    with labelling(folder) as (_, address):
        open_page(tab, address)
        tab.click("#mode-grid")
        for width in (1280, 400):
            tab.set_viewport_size({"width": width, "height": 500})
            for key, count in (("Enter", 59), ("ArrowUp", 59)):
                for _ in range(count):
                    tab.keyboard.press(key)
                    assert not tab.locator(".tile:focus-within button").evaluate(is_covered)


class Played(Training):
    """A training whose state a test sets."""

    shown = {"running": None, "failed": None, "rounds": []}

    def offer(self, n_labels):
        pass

    def state(self, truths):
        return self.shown


@contextlib.contextmanager
def trained(folder):
    """The page in this process, with a training that is played; yields the session and the address."""
    session = session_of(folder)
    session.training = Played(folder)
    with server.bound(server.HOST, 0, "--port") as listener:
        program = server.Server(session, listener.getsockname()[1])
        thread = threading.Thread(target=program.run, kwargs={"sockets": [listener]})
        session.start()
        thread.start()
        while not program.started:
            time.sleep(0.01)
        try:
            yield session, program._address
        finally:
            program.should_exit = True
            thread.join()
            session.close()


def test_the_accuracy_of_trained_readers_is_drawn_and_the_labels_to_come_are_told(tmp_path, tab, monkeypatch):
    monkeypatch.setattr("seqclr.labelling.session.LOOK", 0.05)
    draw(tmp_path, 20)
    rounds = [
        {"labels": 20, "tested": 50, "accuracy": 0.7, "low": 0.56, "high": 0.81},
        {"labels": 50, "tested": 50, "accuracy": 0.96, "low": 0.87, "high": 0.99},
    ]
    needed = progress.forecast([(20, 0.7, 50), (50, 0.96, 50)], 0.98)
    with trained(tmp_path) as (session, address):
        training = session.training
        open_page(tab, address)
        session.label([Change(index, 0, "12", "typed") for index in range(20)])
        used = 20 - len(session.test)
        curve = tab.get_by_role("img", name="Accuracy of the readers against labels")
        assert not curve.count() and "98" not in tab.inner_text("#progress")
        training.shown = {"running": {"labels": 100, "step": 30, "steps": 400}, "failed": None, "rounds": rounds}
        curve.wait_for()
        points = curve.locator("circle").evaluate_all(
            "all => all.map((e) => ['cx', 'cy'].map((n) => +e.getAttribute(n)))"
        )
        (x20, y20), (x50, y50) = points
        left, top, bottom = 42, 20, 110  # the axes: no label, and the accuracies 1 and 0
        assert (x20 - left) / (x50 - left) == pytest.approx(20 / 50)
        assert [(bottom - y) / (bottom - top) for y in (y20, y50)] == pytest.approx([0.7, 0.96])
        line = re.split("[ ,]", curve.locator("polyline").get_attribute("points"))
        assert [float(each) for each in line] == [x20, y20, x50, y50]
        box = curve.bounding_box()
        assert box["width"] > 100 and box["height"] > 50
        assert curve.locator("text").all_text_contents()[:2] == ["Accuracy", "Labels"]
        told = tab.inner_text("#progress").replace("\u00a0", " ")
        assert 0 < used < 20 and f"Labels to 98 %\nabout {needed - used} more" in told
        assert "Reader of 20 labels\n70 % (56 % to 81 %), on 50 of the" in told
        assert "Training\non 100 labels, step 30 of 400" in told
        for width in (1280, 400):
            tab.set_viewport_size({"width": width, "height": 800})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
        training.shown = {"running": None, "failed": f"the disk is full {HTML}", "rounds": rounds[:1]}
        wait_for(tab, "#progress", "Training failed")
        assert HTML in tab.inner_text("#progress") and tab.evaluate("window.harmed") is None
        assert curve.locator("circle").count() == 1 and not tab.locator("#progress img").count()


def test_a_new_prediction_does_not_replace_a_text_that_may_be_accepted_next(tmp_path, tab):
    """It is shown when one comes to the image again."""
    draw(tmp_path, 8)
    with trained(tmp_path) as (session, address):
        open_page(tab, address)
        tiles = tab.locator(".tile input")
        assert shown(tab) == ("0.png", "000")
        for mode, text in (("one", "777"), ("grid", "888")):
            tab.click(f"#mode-{mode}")
            before = [each.input_value() for each in tiles.all()]
            session._predicted({i: s.prediction._replace(text=text) for i, s in enumerate(session._states)})
            session.label([Change(7, session._states[7].revision, text, "corrected")])
            wait_for(tab, "#progress", f"{text[0]}\u00a0×\u00a03")  # the characters of this label
            assert shown(tab)[1] == "000"
            if mode == "grid":
                after = [each.input_value() for each in tiles.all()]
                assert before[:7] == after[:7] == ["777"] * 7
        tab.click("#mode-one")
        assert shown(tab) == ("0.png", "888")
        tab.keyboard.press("Enter")
        saved(tab, 1)
    assert rows(tmp_path)["0.png"] == ("888", "accepted")


def test_findings_are_offered_after_a_reload(folder, tab):
    first = min((folder / "images").iterdir())
    shutil.copy(first, first.with_name("copy.png"))
    with labelling(folder) as (_, address):
        for _ in range(2):
            open_page(tab, address)
            tab.locator("#filter option", has_text="equal images").wait_for(state="attached")


class OtherSite(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_another_site_cannot_label(folder, tab):
    with labelling(folder) as (_, address), serving(http.server.HTTPServer(("127.0.0.1", 0), OtherSite)) as site:
        tab.goto(f"http://127.0.0.1:{site.server_port}/")
        body = '{"changes": [{"image": 0, "revision": 0, "text": "1", "source": "typed"}]}'
        for mode, headers in (("no-cors", "{}"), ("cors", f"{{'x-seqclr-token': '{address.split('/')[3]}'}}")):
            options = f"{{method: 'POST', mode: '{mode}', headers: {headers}, body: '{body}'}}"
            tab.evaluate(f"fetch('{address}labels', {options}).catch(() => null)")
        assert tab.evaluate(f"fetch('{address}state').then(() => 'read', () => 'refused')") == "refused"
        assert not (folder / "labels.csv.journal").exists()


def test_it_fits_narrow_windows_and_can_be_read(folder, tab):
    with labelling(folder) as (process, address):
        open_page(tab, address)
        for width in (1280, 400):
            tab.set_viewport_size({"width": width, "height": 800})
            for mode in ("one", "grid"):
                tab.click(f"#mode-{mode}")
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
                assert tab.evaluate(CONTRAST)[0] >= 4.5
        unnamed = "[...document.querySelectorAll('input, select, button, img')].filter((e) => !(e.ariaLabel || e.alt ||"
        unnamed += " e.labels?.length || e.textContent.trim())).map((e) => e.outerHTML)"
        assert tab.evaluate(unnamed) == ['<img id="image" alt="">'] or tab.evaluate(unnamed) == []
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        tab.click("#mode-one")
        tab.keyboard.press("Enter")
        wait_for(tab, "#status.error", "cannot be reached")
