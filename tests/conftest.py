"""Shared fixtures: a small data set in the published layout, and a small model."""

import argparse
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Callable, Optional

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from pycocotools import mask as coco_mask

from mmris.command_line import main, running
from mmris.command_line.groups import load_tool
from mmris.datasets.pipelines import resolve_pipelines
from mmris.registry import MODELS

ROOT = Path(__file__).parents[1]

# Tools raise their errors as they are, so that tests can look at them; tests/utils/test_tool.py looks at the messages.
os.environ['MMRIS_DEBUG'] = '1'
# Two threads beside another process are many times slower than one.
torch.set_num_threads(1)
cv2.setNumThreads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption('--kills', type=int, default=1, help='how often tests kill a training (default: %(default)s)')


@pytest.fixture(autouse=True)
def default_scope():
    init_default_scope('mmris')


def run_python(*command: object, folder: Path = ROOT, fails: bool = False, **environment: str) -> str:
    """Run Python with arguments in a process of its own; its output, both streams."""
    done = subprocess.run([sys.executable, *map(str, command)],
                          cwd=folder,
                          env={**os.environ, **environment},
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          text=True,
                          timeout=300)
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def run_command(name: str, *arguments: object) -> Optional[int]:
    """Run a command of the project in this process, where imports cost nothing; its exit status."""
    return main.start([name, *map(str, arguments)])


def read_arguments(name: str, *arguments: object) -> argparse.Namespace:
    """What a command reads from its arguments."""
    return running.make_parser(*load_tool(name)).parse_args([str(one) for one in arguments])


def square(x: int, y: int, size: int) -> list:
    """A square polygon."""
    return [x, y, x + size, y, x + size, y + size, x, y + size]


def write_set(folder: Path, *, images: int = 5, refs_per_image: int = 3, sentences: int = 1) -> Path:
    """Write a set in the published layout, with instance masks: images of random pixels with squares as objects."""
    generator = np.random.default_rng(0)
    (folder / 'images').mkdir(parents=True)
    instances = dict(images=[], annotations=[], categories=[dict(id=1, name='square')])
    found = []
    refs, annotation_id, sent_id = [], 100, 1000
    for image_id in range(1, images + 1):
        height, width = 40 + 3 * image_id, 64 - 2 * image_id
        name = f'COCO_train2014_{image_id:012d}.jpg'
        pixels = generator.integers(0, 255, (height, width, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / 'images' / name), pixels)
        instances['images'].append(dict(id=image_id, file_name=name, height=height, width=width))
        for place in range(refs_per_image):
            annotation_id += 1
            instances['annotations'].append(
                dict(
                    id=annotation_id,
                    image_id=image_id,
                    category_id=1,
                    iscrowd=0,
                    area=100,
                    bbox=[4 + 12 * place, 6 + image_id, 10, 10],
                    segmentation=[square(4 + 12 * place, 6 + image_id, 10)]))
            # What a segmenter would find: the square, a pixel off.
            mask = np.zeros((height, width), dtype=np.uint8, order='F')
            mask[7 + image_id:17 + image_id, 4 + 12 * place:14 + 12 * place] = 1
            counts = coco_mask.encode(mask)['counts'].decode()
            found.append(
                dict(
                    image_id=image_id,
                    category_id=1,
                    score=0.9,
                    segmentation=dict(size=[height, width], counts=counts)))
            ids = list(range(sent_id, sent_id + sentences))
            sent_id += sentences
            refs.append(
                dict(
                    ref_id=annotation_id - 100,
                    ann_id=annotation_id,
                    image_id=image_id,
                    category_id=1,
                    split='val',
                    file_name=name.replace('.jpg', f'_{annotation_id}.jpg'),
                    sent_ids=ids,
                    sentences=[
                        dict(sent_id=one, sent=f'square {place} of image {image_id}', raw=f'Square {place}!', tokens=[])
                        for one in ids
                    ]))
    (folder / 'instances.json').write_text(json.dumps(instances))
    (folder / 'instance_masks.json').write_text(json.dumps(found))
    (folder / 'refs(unc).p').write_bytes(pickle.dumps(refs, protocol=2))
    return folder


def assert_same(one: object, other: object) -> None:
    """Equal to the last bit, whatever it is made of."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for part, counterpart in zip(one, other):
            assert_same(part, counterpart)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def assert_close(mine: torch.Tensor, theirs: torch.Tensor, relative: float = 1e-5) -> None:
    """Equal but for rounding: no difference above ``relative`` of the largest value."""
    assert mine.shape == theirs.shape
    difference = (mine - theirs).abs().max() / theirs.abs().max()
    assert difference <= relative, f'{difference:.2e}'


def edit_instances(folder: Path, change: Callable[[dict], None]) -> None:
    """Change the annotation file of a set."""
    path = folder / 'instances.json'
    instances = json.loads(path.read_text())
    change(instances)
    path.write_text(json.dumps(instances))


def edit_refs(folder: Path, change: Callable[[list], None]) -> None:
    """Change the refs file of a set."""
    path = folder / 'refs(unc).p'
    refs = pickle.loads(path.read_bytes())
    change(refs)
    path.write_bytes(pickle.dumps(refs, protocol=2))


@pytest.fixture
def refer_set(tmp_path: Path) -> Path:
    """15 expressions on 5 images."""
    return write_set(tmp_path / 'set')


def tiny_config(name: str = 'cm_masksd/vit-tiny_shaperef.py') -> Config:
    """A config of the project, small enough for a test, with its pipelines."""
    config = Config.fromfile(ROOT / 'configs' / name)
    resolve_pipelines(config)
    return config


@pytest.fixture
def tiny_model() -> torch.nn.Module:
    """CM-MaskSD at the demo's size with random weights, in training mode."""
    torch.manual_seed(0)
    return MODELS.build(tiny_config().model)
