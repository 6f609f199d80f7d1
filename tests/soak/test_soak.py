"""What the long runs call growth, and what they take for noise; and that mixed up answers are seen."""

import io
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.conftest import run_python
from tests.soak.growth import GROWS, STEADY, UNDECIDED, Measure, fit_trend, make_report
from tests.soak.process_state import children_of, processor_seconds, resident_memory
from tests.soak.web_page import Known, MixedUpError, check_answer

MEMORY = Measure('memory', ' MiB', 50)
# Half an hour, three samples a minute.
HOURS = np.arange(90) / 180


def waves(seed: int, alike: float, deviation: float = 8., count: int = len(HOURS)) -> np.ndarray:
    """Noise of 200 MiB whose neighbours correlate."""
    generator = np.random.default_rng(seed)
    values = [0.]
    for step in generator.normal(0, deviation * np.sqrt(1 - alike**2), count):
        values.append(alike * values[-1] + step)
    return 200 + np.array(values[1:])


@pytest.mark.parametrize('alike, share', [(0, 0.025), (0.4, 0.04), (0.8, 0.08)])
def test_noise_is_not_called_growth(alike, share):
    """In 300 runs without a leak, at most this share is blamed, even if none at all is allowed. One side of a correct
    interval leaves out 2.5 in 100; waves as long as a tenth of the run are hard to tell from a line."""
    strict = Measure('memory', ' MiB', 0)
    blamed = sum(fit_trend(strict, HOURS, waves(seed, alike)).verdict == GROWS for seed in range(300))
    assert blamed <= share * 300


@pytest.mark.parametrize('alike', [0, 0.4, 0.8])
@pytest.mark.parametrize('times, leak', [(1, 400), (4, 100)])
def test_a_leak_is_found(alike, times, leak):
    """One of eight times the bound in half an hour, and one of twice the bound in two hours."""
    hours, found = np.arange(90 * times) / 180, 0
    for seed in range(100):
        found += fit_trend(MEMORY, hours, waves(seed, alike, count=len(hours)) + leak * hours).verdict == GROWS
    assert found >= 90


def test_verdicts():
    def verdict(values, most=50.):
        return fit_trend(Measure('memory', ' MiB', most), HOURS, values).verdict

    assert verdict(np.full(90, 200.)) == STEADY
    assert verdict(200 + 49 * HOURS) == STEADY and verdict(200 + 51 * HOURS) == GROWS
    assert verdict(200 - 300 * HOURS) == STEADY
    assert verdict(waves(0, 0.4, 100.)) == UNDECIDED
    # A cache that fills, or a buffer that is made once, is no leak; a step each minute is.
    assert verdict(200 + 100 * (1 - np.exp(-HOURS / 0.08))) == STEADY
    assert verdict(np.where(HOURS > 0.3, 230., 200.)) == STEADY
    assert verdict(np.floor(HOURS * 60) * 2 + 200) == GROWS


def test_the_warm_up_does_not_count():
    values = np.where(np.arange(90) < 36, 100 + 10 * np.arange(90), 450.)
    trend = fit_trend(MEMORY, HOURS, values)
    assert trend.samples == 54 and trend.first == trend.last == 450
    assert trend.whole.slope == pytest.approx(0, abs=1e-9) and trend.verdict == STEADY


def test_too_few_samples():
    with pytest.raises(ValueError, match='memory has 7 samples after the warm-up, but at least 8 are needed. Run lo'):
        fit_trend(MEMORY, range(11), [1.] * 11)


def test_the_report(tmp_path):
    threads = Measure('threads', '', 2)
    samples = [dict(x=x, memory=200 + 1000 * x, threads=12) for x in HOURS]
    report = make_report('A run', 'hour', [MEMORY, threads], samples, dict(steps=3))
    assert report.grows == ['memory']
    report.write(tmp_path, 'run')
    content = json.loads((tmp_path / 'run.json').read_text())
    assert content['facts'] == dict(steps=3, samples=90) and len(content['samples']) == 90
    assert [one['verdict'] for one in content['trends']] == [GROWS, STEADY]
    text = (tmp_path / 'run.md').read_text()
    assert '- steps: 3' in text and '| 1,000 ± ' in text and '| threads ' in text
    with Image.open(tmp_path / 'run.png') as picture:
        assert picture.width > 500 and np.asarray(picture).std() > 10


def test_what_a_process_holds():
    """In a process of its own: this one may give memory back at any time."""
    code = (
        'import json, os\nimport numpy as np\nfrom tests.soak.process_state import hold\n'
        'before = hold(os.getpid())\nfiles = [open(os.devnull) for _ in range(7)]\n'
        'block = np.ones(60 * 2**20, dtype=np.uint8)\nprint(json.dumps([before, hold(os.getpid())]))')
    before, after = json.loads(run_python('-c', code).splitlines()[-1])
    assert after['descriptors'] - before['descriptors'] == 7 and after['threads'] >= 1
    assert 55 < after['memory'] - before['memory'] < 100


def test_the_processor():
    begin, own = processor_seconds(os.getpid()), time.process_time()
    while time.process_time() < own + 0.3:
        sum(range(10_000))
    assert processor_seconds(os.getpid()) - begin == pytest.approx(time.process_time() - own, abs=0.05)


def test_processes_below_processes():
    inner = 'import subprocess, sys; subprocess.run([sys.executable, "-c", "input()"])'
    with subprocess.Popen([sys.executable, '-c', inner], stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while len(children_of(process.pid)) < 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.pid in children_of(os.getpid()) and resident_memory(children_of(process.pid)[0]) > 1
        assert len(children_of(os.getpid())) >= 2
    assert resident_memory(process.pid) == 0


class TestAnswers:

    @staticmethod
    def picture(pixels: np.ndarray, form: str = 'PNG') -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, form)
        return buffer.getvalue()

    @pytest.fixture
    def known(self):
        pixels = np.full((40, 60, 3), (200, 30, 30), dtype=np.uint8)
        masks = np.zeros((2, 40, 60), dtype=bool)
        masks[0, :20, :20], masks[1, 20:] = True, True
        return Known('a.png', self.picture(pixels), pixels, ['the star', 'left one'], masks)

    def answer(self, known, **changes):
        files = {'a.json': json.dumps(dict(height=40, width=60)).encode()}
        for place, mask in enumerate(changes.pop('masks', known.masks), start=1):
            files[f'a_{place}_mask.png'] = self.picture(mask.astype(np.uint8) * 255)
        given = dict(shown=self.picture(known.pixels, 'JPEG'), text='<b>the star</b> <b>left one</b>', files=files)
        return {**given, **changes}

    def test_ones_own(self, known):
        check_answer(known, **self.answer(known))
        check_answer(known, **self.answer(known, files={}))

    @pytest.mark.parametrize('change, message', [
        (lambda test, known: dict(shown=test.picture(known.pixels[:, :, ::-1].copy(), 'JPEG')), 'another picture'),
        (lambda test, known: dict(text='<b>the star</b>'), r"answered about \['the star'\]"),
        (lambda test, known: dict(masks=known.masks[::-1]), "the mask of 'the star' is another one"),
        (lambda test, known: dict(files={'a.json': b'{"height": 41, "width": 60}'}), 'a picture of 41 x 60 pixels'),
    ])
    def test_of_another_visitor(self, known, change, message):
        with pytest.raises(MixedUpError, match=message):
            check_answer(known, **self.answer(known, **change(self, known)))
