"""The web page in a real browser."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Tuple

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from mmris.registry import MODELS
from mmris.web.examples import EXAMPLES
from tests.conftest import ROOT, tiny_config

pytestmark = pytest.mark.slow

SHAPES = 'cm-masksd-shaperef'
SCENE, SENTENCES = EXAMPLES[1]
WIDE, PHONE = dict(width=1280, height=800), dict(width=390, height=844)


@pytest.fixture(scope='module')
def generalised(tmp_path_factory) -> Tuple[Path, Path]:
    """Config and random weights of a small model with an existence head."""
    folder = tmp_path_factory.mktemp('generalised')
    config = tiny_config('cm_masksd/vit-small_shaperef_generalised.py')
    init_default_scope('mmris')
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), folder / 'weights.pth')
    return Path(config.filename), folder / 'weights.pth'


@pytest.fixture(scope='module')
def address(generalised) -> Iterator[str]:
    command = [sys.executable, 'tools/web.py', '--port', '0', '--model', SHAPES, '--trained', *map(str, generalised)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        line = server.stdout.readline()
        try:
            assert 'The page is at http://127.0.0.1:' in line, line + server.stderr.read()
            yield re.search(r'http://[0-9.:]+[0-9]', line).group()
        finally:
            server.send_signal(signal.SIGINT)
        rest, errors = server.communicate(timeout=30)
    assert (server.returncode, rest, errors.strip()) == (0, 'Stopped.\n', '')


@pytest.fixture(scope='module')
def browser() -> Iterator[Browser]:
    path = shutil.which('chromium')
    if path is None:
        pytest.fail('There is no Chromium to test the web page in. Install Debian\'s: apt-get install chromium')
    # All other hosts are nowhere, for the browser itself too. Its sandbox does not start as root.
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'])
        yield started
        started.close()


class Visitor:
    """One visitor's page."""

    def __init__(self, browser: Browser, address: str, viewport: dict = WIDE, **settings: object) -> None:
        self.context: BrowserContext = browser.new_context(viewport=viewport, **settings)
        self.page: Page = self.context.new_page()
        self.requested = []
        self.page.on('request', lambda request: self.requested.append(request.url))
        self.page.goto(address)
        expect(self.find('find')).to_be_visible(timeout=60000)

    def find(self, name: str, inside: str = '') -> Locator:
        return self.page.locator(f'#{name} {inside}')

    def upload(self, path: Path) -> None:
        self.page.set_input_files('#picture input[type=file]', path)
        expect(self.find('picture', 'img')).to_have_attribute('src', re.compile('picture_'))

    def ask(self, *sentences: str) -> None:
        self.find('sentences', 'textarea').fill('\n'.join(sentences))
        self.find('find').click()
        expect(self.find('answers', 'li')).to_have_count(len(sentences), timeout=60000)
        expect(self.find('answers', 'b')).to_have_text(sentences)

    def notes(self) -> list:
        return self.find('answers', '.note').all_inner_texts()

    def shares(self) -> list:
        """Percents of the image."""
        return [float(re.match('[0-9.]+', note).group()) for note in self.notes()]

    def move(self, slider: str, value: float) -> None:
        number = self.find(slider, 'input[type=number]')
        number.fill(str(value))
        number.blur()

    def download(self, name: str, folder: Path) -> Path:
        with self.page.expect_download() as download:
            self.page.get_by_role('link', name=name).click()
        download.value.save_as(folder / name)
        return folder / name


@pytest.fixture
def visit(browser, address) -> Iterator:
    visitors = []

    def come(**settings: object) -> Visitor:
        visitors.append(Visitor(browser, address, **settings))
        return visitors[-1]

    yield come
    for visitor in visitors:
        outside = [url for url in visitor.requested if not url.startswith((address, 'data:', 'blob:'))]
        visitor.context.close()
        assert outside == []


def test_from_picture_to_files(visit, tmp_path):
    visitor = visit()
    visitor.upload(SCENE)
    visitor.ask(*SENTENCES)
    expect(visitor.find('drawn', 'img')).to_be_visible()
    before = visitor.shares()
    assert all(1 < share < 30 for share in before) and all('score 0.9' in note for note in visitor.notes())

    visitor.move('threshold', 0.95)
    expect(visitor.find('answers', '.note').first).not_to_have_text(re.compile(f'^{before[0]}%'))
    after = visitor.shares()
    assert all(less < more for less, more in zip(after, before))

    visitor.find('save').click()
    record = json.loads(visitor.download('scene_2.json', tmp_path).read_text())
    mask = np.asarray(Image.open(visitor.download('scene_2_1_mask.png', tmp_path)))
    overlay = Image.open(visitor.download('scene_2_overlay.png', tmp_path))
    assert record['threshold'] == 0.95 and [one['sentence'] for one in record['predictions']] == list(SENTENCES)
    assert (mask == 255).sum() == record['predictions'][0]['area'] and mask.shape == (record['height'], record['width'])
    assert round(100 * (mask == 255).mean(), 1) == after[0] and overlay.size > Image.open(SCENE).size


def test_an_example_and_another_model(visit):
    """An example is asked at once. The model with an existence head has a second slider, which needs no other run."""
    visitor = visit()
    visitor.find('examples', 'button').first.click()
    expect(visitor.find('answers', 'li')).to_have_count(len(EXAMPLES[0].sentences), timeout=60000)
    expect(visitor.find('existence')).to_be_hidden()

    visitor.find('model', 'input').click()
    visitor.page.get_by_role('option', name=re.compile('^vit-small_shaperef_generalised ')).click()
    visitor.find('find').click()
    expect(visitor.find('existence')).to_be_visible(timeout=60000)
    visitor.move('existence', 0.99)
    first = visitor.find('answers', '.note').first
    expect(first).to_have_text(re.compile(r'^nothing in the picture fits \(\d+% sure\)'))
    visitor.move('existence', 0.01)
    expect(first).to_have_text(re.compile('sure that something fits$'))


def test_two_visitors_at_once(visit):
    one, other = visit(), visit()
    one.upload(EXAMPLES[1].path)
    other.upload(EXAMPLES[2].path)
    one.ask('the yellow square', 'left purple object')
    other.ask('big red square')
    shares = one.shares()
    other.move('threshold', 0.05)
    one.ask('the yellow square')
    assert one.shares() == shares[:1] and one.find('threshold', 'input[type=number]').input_value() == '0.5'
    pictures = [visitor.find('drawn', 'img').get_attribute('src') for visitor in (one, other)]
    assert pictures[0] != pictures[1]
    # A picture is gone with its visitor.
    assert one.page.request.get(pictures[1]).status == 200
    other.page.close()
    for _ in range(50):
        if one.page.request.get(pictures[1]).status == 403:
            break
        one.page.wait_for_timeout(200)
    assert one.page.request.get(pictures[1]).status == 403
    one.ask('left purple object')


def test_messages(visit, tmp_path):
    """What a visitor does wrong is said on the page, with the limit."""
    visitor = visit()
    message = visitor.find('message')
    visitor.find('find').click()
    expect(message).to_have_text(re.compile('Write what to look for'))
    visitor.find('sentences', 'textarea').fill('the star')
    visitor.find('find').click()
    expect(message).to_have_text(re.compile('There is no picture. Drop one first.'))

    Image.new('1', (6000, 6000)).save(tmp_path / 'bomb.png')
    visitor.page.set_input_files('#picture input[type=file]', tmp_path / 'bomb.png')
    expect(message).to_have_text(re.compile('bomb.png has 6000 x 6000 pixels .* 25 million pixels'))
    (tmp_path / 'heavy.jpg').write_bytes(bytes(21 * 2**20))
    visitor.page.set_input_files('#picture input[type=file]', tmp_path / 'heavy.jpg')
    expect(visitor.page.get_by_test_id('toast-body')).to_contain_text('exceed the maximum allowed size of 20.0 Mb')

    visitor.upload(SCENE)
    visitor.ask('<img src=x onerror=alert(1)>')
    assert visitor.find('answers', 'img').count() == 0
    expect(message).to_be_hidden()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_a_phone(visit, scheme):
    """Nothing is wider than the window, and all of it can be used."""
    visitor = visit(viewport=PHONE, is_mobile=True, has_touch=True, color_scheme=scheme)
    visitor.upload(SCENE)
    visitor.ask(*SENTENCES)
    assert visitor.page.evaluate('document.documentElement.scrollWidth') <= PHONE['width']
    for name in ('drawn', 'answers', 'threshold', 'save'):
        box = visitor.find(name).bounding_box()
        assert box['x'] >= 0 and box['x'] + box['width'] <= PHONE['width']
    background = visitor.page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (max(map(int, re.findall(r'\d+', background)[:3])) < 60) == (scheme == 'dark')
