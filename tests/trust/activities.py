"""What a user does, in a process of its own that is watched: ``python -m tests.trust.activities NAME FOLDER``.

An activity is a generator. Up to its ``yield`` it makes files and imports what a command imports; from there on the
hook listens.
"""

import json
import sys
from pathlib import Path
from typing import Callable, Dict, Iterator, NamedTuple

from mmris.utils.resources import RESOURCES
from tests.trust.audit import CONFIGS, Audit
from tests.trust.scene import Scene


class Activity(NamedTuple):
    """An activity, and what it may do beside reading.

    Attributes:
        act (Callable): Gets a :class:`Scene`.
        allowed (dict): Arguments of :class:`Audit`.
    """

    act: Callable[[Scene], Iterator[None]]
    allowed: Dict[str, object]


ACTIVITIES: Dict[str, Activity] = {}
TOOLS = RESOURCES / 'tools'
SENTENCES = ['the red circle', 'a star on the left']


def activity(**allowed: object) -> Callable:
    """Add an activity by the name of its function."""

    def add(act: Callable[[Scene], Iterator[None]]) -> Callable[[Scene], Iterator[None]]:
        ACTIVITIES[act.__name__] = Activity(act, allowed)
        return act

    return add


@activity(code=[TOOLS])
def importing(scene: Scene) -> Iterator[None]:
    """mmris, all commands, and what each of them imports."""
    yield
    import importlib

    from mmris.command_line import main
    from mmris.command_line.groups import find_tools, load_tool
    main.start(['--help'])
    for name in find_tools():
        path, _, _ = load_tool(name)
        text = Path(path).read_text()
        assert 'run_command' in text
        importlib.import_module(f'mmris.commands.{name + "_" if name == "try" else name}')


@activity()
def reading(scene: Scene) -> Iterator[None]:
    """A file of each kind; :mod:`tests.trust.test_trust_readers` has all layouts and forms."""
    import numpy as np
    import safetensors.torch
    import torch
    from PIL import Image

    from mmris.apis.inferencer.pairs import read_pairs
    from mmris.checkpoints import read_checkpoint, read_published
    from mmris.checkpoints.published import CLIP
    from mmris.datasets import BEiT3Tokenizer, CLIPTokenizer, WordPieceTokenizer, WordTokenizer
    from mmris.datasets.refer_files import read_refer_files
    from mmris.images import read_image
    from tests.checkpoints.published.clip_files import open_clip_model, write_openai
    from tests.conftest import write_set
    from tests.datasets.test_beit3_tokenizer import write_vocabulary
    from tests.datasets.test_word_piece_tokenizer import write_vocabulary as write_word_pieces

    given = scene.given
    state = open_clip_model().state_dict()
    torch.save(dict(state_dict=state), given / 'zip.pth')
    torch.save(state, given / 'legacy.pth', _use_new_zipfile_serialization=False)
    safetensors.torch.save_file(state, given / 'weights.safetensors')
    write_openai(given / 'openai.pt')
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    pictures = [given / f'picture.{suffix}' for suffix in ('png', 'jpg', 'webp', 'gif', 'bmp', 'tif')]
    for path in pictures:
        Image.fromarray(pixels).save(path)
    write_set(given / 'set', images=3)
    write_vocabulary(given / 'beit3.spm')
    write_word_pieces(given / 'vocab.txt')
    (given / 'words.txt').write_text('\n'.join([*WordTokenizer.SPECIAL, 'the', 'red', 'circle']))
    (given / 'pairs.csv').write_text('image,sentence\npicture.png,the star\n')
    (given / 'pairs.jsonl').write_text('{"image": "picture.png", "sentence": "the star"}\n')
    yield
    for name in ('zip.pth', 'legacy.pth', 'weights.safetensors', 'openai.pt'):
        read_checkpoint(given / name)
        read_published(CLIP, str(given / name))
    for path in pictures:
        read_image(path)
    read_refer_files(str(given / 'set/instances.json'), str(given / 'set/refs(unc).p'),
                     image_folder=str(given / 'set/images'))
    CLIPTokenizer(context_length=20)(SENTENCES)
    for tokenizer, name in ((BEiT3Tokenizer, 'beit3.spm'), (WordPieceTokenizer, 'vocab.txt'),
                            (WordTokenizer, 'words.txt')):
        tokenizer(vocabulary=str(given / name), context_length=20)(SENTENCES)
    read_pairs(given / 'pairs.csv')
    read_pairs(given / 'pairs.jsonl')


@activity()
def shared_models(scene: Scene) -> Iterator[None]:
    """A published folder and an export of others, and what the first says is on a hostile one."""
    from mmris.apis import Predictor
    from mmris.runtime import OnnxPredictor
    from tests.hub.published import Stranger, photograph, publish_random
    from tests.runtime.toy_export import write_export

    publish_random(scene.given / 'published')
    write_export(scene.given / 'export')
    strangers = scene.given / 'strangers'
    strangers.mkdir()
    stranger = Stranger(strangers, scene.given / 'published')
    stranger.set('model.neck', dict(type='os.system', command=stranger.command))
    yield
    predictor = Predictor.from_pretrained(str(scene.given / 'published'), device='cpu')
    predictor.set_image(photograph())
    predictor.predict(SENTENCES)
    exported = OnnxPredictor(scene.given / 'export', threads=1)
    exported.set_image(photograph())
    exported.predict(SENTENCES)
    stranger.refuse("'os.system'")


@activity(code=[TOOLS], configs=True)
def predicting(scene: Scene) -> Iterator[None]:
    """By the commands, with a checkpoint of one's own, the model that comes with mmris, and lists of results."""
    from PIL import Image

    from mmris.command_line import main
    from tests.conftest import tiny_config
    from tests.hub.published import photograph, save_random

    save_random(tiny_config(), scene.given / 'weights.pth')
    (scene.given / 'photos').mkdir()
    for number in range(2):
        Image.fromarray(photograph()).save(scene.given / 'photos' / f'{number}.png')
    config = str(CONFIGS / 'cm_masksd/vit-tiny_shaperef.py')
    yield
    picture = str(scene.given / 'photos/0.png')
    for model in ([config, str(scene.given / 'weights.pth')], ['--model', 'cm-masksd-shaperef']):
        main.start(['predict', *model, picture, *SENTENCES, '--out', 'predictions'])
        main.start(['predict_images', *model, str(scene.given / 'photos'), '--sentences', *SENTENCES, '--out',
                    'results', '--overwrite'])
    # What a killed run left is read again.
    main.start(['predict_images', *model, str(scene.given / 'photos'), '--sentences', *SENTENCES, '--out', 'results'])


# The model that comes with mmris is of one of its configs.
@activity(configs=True, port=True)
def web_page(scene: Scene) -> Iterator[None]:
    """Requests of visitors; one asks for a file of the machine."""
    from starlette.testclient import TestClient

    from mmris.web import Limits, Models, find_loaders
    from mmris.web.server import listen, make_app
    from tests.trust.visitor import Visitor
    from tests.web.test_web_gate import png

    served = scene.temporary / 'served'
    served.mkdir()
    app, _ = make_app(Models(find_loaders([], [], device='cpu')), served, Limits())
    with TestClient(app, base_url='http://127.0.0.1') as client:
        yield
        with listen('127.0.0.1', 0):
            visitor = Visitor(client, 'a')
            visitor.show(png(), 'picture.png')
            assert 'class="answers"' in visitor.ask(SENTENCES)
            assert visitor.files()
            assert client.get('/gradio_api/file=/etc/passwd').status_code == 403


@activity(code=[TOOLS], configs=True, forks=True)
def training(scene: Scene) -> Iterator[None]:
    """An epoch with a data worker, validation and a checkpoint; then its test."""
    from mmris.command_line import main
    from tests.conftest import write_set

    write_set(scene.given / 'set', images=4, sentences=2)
    config = str(CONFIGS / 'cm_masksd/vit-tiny_shaperef.py')
    yield
    data = ['--data-root', str(scene.given / 'set')]
    main.start(['train', config, '--work-dir', 'run', *data, '--cfg-options', 'train_dataloader.dataset.split=val',
                'train_dataloader.batch_size=2', 'train_dataloader.num_workers=1', 'val_dataloader.num_workers=1',
                'train_cfg.max_epochs=1'])
    main.start(['test', config, 'run/epoch_1.pth', '--split', 'val', '--work-dir', 'test', *data])


def main(name: str, folder: Path) -> None:
    """Do an activity, and list what it should not have done."""
    scene = Scene(folder)
    chosen = ACTIVITIES[name]
    audit = Audit(scene.log, writable=scene.writable, **chosen.allowed)
    steps = chosen.act(scene)
    if name != 'importing':
        next(steps)
    before = scene.snapshot()
    audit.arm()
    for _ in steps:
        continue
    audit.armed = False
    for path in scene.changed_since(before):
        audit.report('written unseen', path)
    print(json.dumps(dict(done=name)))


if __name__ == '__main__':
    main(sys.argv[1], Path(sys.argv[2]))
