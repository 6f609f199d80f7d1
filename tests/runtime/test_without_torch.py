"""The runtime where nothing but its own packages can be imported."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest

from tests.conftest import ROOT
from tests.datasets.test_beit3_tokenizer import write_vocabulary as write_sentence_pieces
from tests.datasets.test_word_piece_tokenizer import write_vocabulary as write_word_pieces
from tests.runtime.toy_export import write_export

ALLOWED = ('mmris', 'onnxruntime', 'numpy', 'PIL', 'cv2', 'tokenizers', 'sentencepiece')

PROGRAM = '''
import sys

allowed, folder, out = set(sys.argv[1].split(',')) | set(sys.stdlib_module_names), sys.argv[2], sys.argv[3]
refused = []

class Refuse:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition('.')[0]
        if top not in allowed:
            refused.append(top)
            raise ModuleNotFoundError(f'No module named {name!r} here', name=name)

sys.meta_path.insert(0, Refuse)
import numpy as np
from PIL import Image
from mmris.runtime import OnnxPredictor

predictor = OnnxPredictor(folder, threads=1)
pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
Image.fromarray(pixels).save(out + '/photo.jpg')
predictor.set_image(out + '/photo.jpg')
prediction = predictor.predict(['the red star', 'more than fits on one line ' * 9, 'Zo\\u00eb \\u7ea2'])
assert prediction.probabilities.shape == (3, 50, 70) and prediction.masks.any()
assert prediction.plot().size[0] > 400
saved = prediction.save(out + '/saved')
assert saved.overlay.is_file() and saved.json.is_file() and len(saved.masks) == 3
assert prediction.to_coco()[0]['segmentation']['counts']
assert predictor.read_words('left')[0].whole
print('refused:', ' '.join(sorted(set(refused))))
'''


@pytest.fixture(params=['WordTokenizer', 'CLIPTokenizer', 'WordPieceTokenizer', 'BEiT3Tokenizer'])
def folder(request, tmp_path):
    folder, kind = tmp_path / 'exported', request.param
    folder.mkdir()
    if kind == 'WordTokenizer':
        return write_export(folder)
    tokenizer = dict(type=kind, context_length=20, pad_to_longest=False, vocabulary='vocabulary')
    if kind == 'CLIPTokenizer':
        shutil.copy(Path(open_clip.__file__).parent / 'bpe_simple_vocab_16e6.txt.gz', folder / 'vocabulary')
    elif kind == 'WordPieceTokenizer':
        write_word_pieces(folder / 'vocabulary')
        tokenizer.update(keep_end=False)
    else:
        write_sentence_pieces(folder / 'vocabulary')
        tokenizer.update(lower_case=True, semantic_token=True)
    return write_export(folder, tokenizer=tokenizer)


def test_predict_plot_and_save(folder, tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, ','.join(ALLOWED), str(folder), str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True)
    assert done.returncode == 0, done.stderr
    # The first two draw better pictures where they are there. Pillow and the standard library look for the others.
    assert set(done.stdout.split()[1:]) <= {'matplotlib', 'regex', 'defusedxml', 'org'}, done.stdout
    assert "Pictures may show boxes in place of 'ë'" in done.stderr and 'pip install matplotlib' in done.stderr


def test_without_onnxruntime():
    program = "import sys; sys.modules['onnxruntime'] = None\nimport mmris.runtime"
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True)
    assert 'Exported models are run by onnxruntime, which cannot be imported' in done.stderr
    assert 'Install it: pip install onnxruntime' in done.stderr
