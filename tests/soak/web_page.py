"""Has several visitors ask the web page for a long time, and looks for what grows and for answers that get mixed up.

    python -m tests.soak.web_page --requests 10000 --out work_dirs/soak

The server is a process of its own. Each visitor has pictures of their own, of which the answers are known. Exit status:
0, or 1 if something grows, or if files of visitors stay.
"""

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict, Iterator, List, NamedTuple, Tuple

import httpx
import numpy as np
from PIL import Image

from mmris.apis import Predictor
from mmris.datasets.shaperef import make_record
from mmris.web.models import DEFAULT
from tests.conftest import ROOT
from tests.soak.growth import Measure, Report, make_report
from tests.soak.process_state import hold, processor_seconds
from tests.soak.serve_page import UPLOAD_SECONDS
from tests.trust.visitor import Visitor

CLIENTS = 8
# Per visit, after which a visitor leaves and another one comes.
QUESTIONS = 10
PICTURES = 4
# Masks of the server may differ in some pixels from those of this process, whose arrays lie elsewhere in memory.
ALIKE = 0.99
MEASURES = (
    Measure('memory', ' MiB', 10),
    Measure('descriptors', '', 2),
    Measure('threads', '', 2),
    Measure('files', '', 5),
    # Of the processor: the time on a clock depends on what else the machine does.
    Measure('processor time of an answer', ' ms', 20),
)


class Known(NamedTuple):
    """A picture, and what is to be answered about it.

    Attributes:
        name (str): Of its file.
        content (bytes): The file.
        pixels (ndarray): ``(H, W, 3)`` uint8.
        sentences (list[str]): What is asked.
        masks (ndarray): ``(S, H, W)`` bool.
    """

    name: str
    content: bytes
    pixels: np.ndarray
    sentences: List[str]
    masks: np.ndarray


class MixedUpError(Exception):
    """A visitor got what is not theirs."""


def known_pictures(client: int, predictor: Predictor) -> List[Known]:
    """ShapeRef scenes that no other client has, each cut by other rows, so that sizes differ too."""
    found = []
    for number in range(PICTURES):
        place = client * PICTURES + number
        record = make_record(7, 'refcoco', 'val', place)
        with Image.open(io.BytesIO(record.jpeg)) as scene:
            pixels = np.asarray(scene.convert('RGB'))
        pixels = np.ascontiguousarray(pixels[:pixels.shape[0] - place])
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, 'PNG')
        sentences = [ref['sentences'][0]['sent'] for ref in record.refs]
        predictor.set_image(pixels)
        masks = np.asarray(predictor.predict(sentences).masks)
        found.append(Known(f'client_{client}_picture_{number}.png', buffer.getvalue(), pixels, sentences, masks))
    return found


def check_answer(known: Known, shown: bytes, text: str, files: Dict[str, bytes]) -> None:
    """Check that what a visitor got is about their own picture and sentences.

    Args:
        known (Known): What they asked.
        shown (bytes): The picture that the page showed after the upload.
        text (str): The HTML of the answers.
        files (dict[str, bytes]): The files for download; empty if they were not asked for.

    Raises:
        MixedUpError: If not.
    """
    with Image.open(io.BytesIO(shown)) as picture:
        own = Image.fromarray(known.pixels).resize(picture.size, Image.Resampling.BICUBIC)
        difference = np.abs(np.asarray(picture.convert('RGB'), float) - np.asarray(own, float)).mean()
    # JPEG and other ways to enlarge differ by 2 to 4; two scenes by 40 and more.
    if difference > 10:
        raise MixedUpError(f'{known.name}: the page shows another picture (mean difference {difference:.1f}).')
    said = re.findall('<b>(.*?)</b>', text)
    if said != known.sentences:
        raise MixedUpError(f'{known.name}: asked about {known.sentences}, answered about {said}.')
    if not files:
        return
    stem = Path(known.name).stem
    written = json.loads(files[f'{stem}.json'])
    size = written['height'], written['width']
    if size != known.pixels.shape[:2]:
        raise MixedUpError(f'{known.name}: the files are about a picture of {size[0]} x {size[1]} pixels.')
    for place, mask in enumerate(known.masks, start=1):
        with Image.open(io.BytesIO(files[f'{stem}_{place}_mask.png'])) as opened:
            found = np.asarray(opened) > 0
        union = (found | mask).sum()
        if union and (found & mask).sum() < ALIKE * union:
            raise MixedUpError(f'{known.name}: the mask of {known.sentences[place - 1]!r} is another one.')


class Counter:
    """Counts the questions of all clients, and tells when there were enough.

    Args:
        wanted (int): How many are asked.
    """

    def __init__(self, wanted: int) -> None:
        self.done, self.checked = 0, 0
        self.seconds: List[float] = []
        self.errors: List[BaseException] = []
        self._wanted, self._lock = wanted, threading.Lock()

    @property
    def is_over(self) -> bool:
        """bool: Whether all were asked, or something went wrong."""
        return self.done >= self._wanted or bool(self.errors)

    def add(self, seconds: float, files: bool) -> None:
        """Count a question, and whether its files were looked at."""
        with self._lock:
            self.done += 1
            self.checked += files
            self.seconds.append(seconds)


def visit(address: str, key: str, known: Known, counter: Counter) -> None:
    """Come, upload a picture, ask about it several times, and leave."""
    # The page learns by the end of the heartbeat that its visitor has left.
    with httpx.Client(base_url=address, timeout=120) as client, client.stream(
            'GET', f'/gradio_api/heartbeat/{key}') as heart:
        heart.raise_for_status()
        visitor = Visitor(client, key)
        path = visitor.show(known.content, known.name)
        shown = client.get(f'/gradio_api/file={path}').raise_for_status().content
        for number in range(QUESTIONS):
            if counter.is_over:
                return
            start = time.monotonic()
            text = visitor.ask(known.sentences)
            seconds = time.monotonic() - start
            files = visitor.files() if number % 5 == 0 else {}
            check_answer(known, shown, text, files)
            counter.add(seconds, bool(files))


def run_client(address: str, number: int, pictures: List[Known], counter: Counter) -> None:
    """Visit the page again and again."""
    visits = 0
    try:
        while not counter.is_over:
            visit(address, f'client{number}visit{visits}', pictures[visits % len(pictures)], counter)
            visits += 1
    except BaseException as error:
        counter.errors.append(error)


@contextmanager
def served(folder: Path) -> Iterator[Tuple[str, int]]:
    """Serve the page in a process of its own, with ``folder`` for temporary files; its address and process id.

    Raises:
        RuntimeError: If it does not start, or does not end well.
    """
    environment = dict(os.environ, TMPDIR=str(folder), PYTHONPATH=str(ROOT))
    command = [sys.executable, '-m', 'tests.soak.serve_page']
    with open(folder.with_suffix('.log'), 'w+') as log, subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as server:
        try:
            line = server.stdout.readline()
            found = re.search(r'http://[0-9.:]+[0-9]', line)
            if found is None:
                raise RuntimeError(f'The server did not start: {line}{folder.with_suffix(".log").read_text()}')
            yield found[0], server.pid
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    if server.returncode:
        raise RuntimeError(f'The server ended with status {server.returncode}.')


def files_of_visitors(folder: Path) -> List[str]:
    """Uploads and what was made of them, wherever the server keeps them."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def take_samples(process: int, folder: Path, counter: Counter, every: float) -> List[Dict[str, float]]:
    """Look at the server until all questions are asked."""
    samples: List[Dict[str, float]] = []
    asked, used = 0, processor_seconds(process)
    while True:
        time.sleep(every)
        if counter.is_over:
            # Some visitors have left already.
            return samples
        done, now = counter.done, processor_seconds(process)
        if done > asked:
            samples.append({
                'x': done / 1000, **hold(process), 'files': len(files_of_visitors(folder)),
                'processor time of an answer': 1000 * (now - used) / (done - asked)})
            asked, used = done, now


def soak(requests: int, every: float, folder: Path) -> Tuple[Report, List[str]]:
    """Ask for a while.

    Args:
        requests (int): Questions of all clients.
        every (float): Seconds between samples.
        folder (Path): For temporary files of the server.

    Returns:
        tuple[Report, list[str]]: What was found, and the files of visitors that stayed.
    """
    temporary = folder / 'server'
    temporary.mkdir()
    predictor = Predictor.from_pretrained(DEFAULT, device='cpu')
    pictures = [known_pictures(number, predictor) for number in range(CLIENTS)]
    counter, start = Counter(requests), time.monotonic()
    with served(temporary) as (address, process):
        clients = [threading.Thread(target=run_client, args=(address, number, pictures[number], counter))
                   for number in range(CLIENTS)]
        for client in clients:
            client.start()
        samples = take_samples(process, temporary, counter, every)
        for client in clients:
            client.join()
        minutes = (time.monotonic() - start) / 60
        if counter.errors:
            raise counter.errors[0]
        # Until the last sweep.
        time.sleep(1.5 * UPLOAD_SECONDS)
        stayed = files_of_visitors(temporary)
    stayed += [f'{path} after the end' for path in files_of_visitors(temporary)]
    facts = dict(questions=counter.done, answers_with_files=counter.checked, answers_of_another_visitor=0,
                 files_that_stayed=len(stayed), minutes=round(minutes, 1),
                 median_answer_by_the_clock=f'{1000 * np.median(counter.seconds):.0f} ms')
    report = make_report(f'The web page, asked by {CLIENTS} visitors at once', '1,000 questions', MEASURES, samples,
                         facts)
    return report, stayed


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--requests', type=int, default=10_000, help='questions to ask (default: %(default)s)')
    parser.add_argument('--every', type=float, default=20, help='seconds between samples (default: %(default)s)')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/soak'), help='folder of the report')
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix='mmris_soak_') as folder:
        report, stayed = soak(arguments.requests, arguments.every, Path(folder))
    report.write(arguments.out, 'web_page')
    print(report.table())
    if stayed:
        print(f'{len(stayed)} files of visitors stayed: {", ".join(stayed[:5])}')
    return 1 if report.grows or stayed else 0


if __name__ == '__main__':
    sys.exit(main())
