"""An exported model in an environment that has neither PyTorch nor an OpenMMLab package."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmris.apis import Predictor
from mmris.export import export_model
from mmris.web.examples import EXAMPLES
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

# What docs/export.md says to install.
NEEDED = ('onnxruntime', 'numpy', 'pillow', 'opencv-python-headless', 'tokenizers', 'sentencepiece')
NOT_THERE = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmseg', 'open_clip', 'timm', 'matplotlib', 'regex', 'ftfy',
             'pycocotools', 'safetensors', 'scipy')
SCRIPT = '''
import json, sys
from importlib.machinery import PathFinder
from mmris.runtime import OnnxPredictor

found, folder, picture, out, *sentences = [], *sys.argv[1:]
predictor = OnnxPredictor(folder, threads=1)
predictor.set_image(picture)
prediction = predictor.predict(sentences)
prediction.save(out)
there = [name for name in NOT_THERE if PathFinder.find_spec(name)]
print(json.dumps(dict(there=there, areas=prediction.areas.tolist(), boxes=prediction.boxes.tolist(),
                      coco=prediction.to_coco(), words=predictor.read_words(sentences)[0].words)))
'''.replace('NOT_THERE', repr(NOT_THERE))


def test_runtime_alone(tmp_path: Path):
    pip = [sys.executable, '-m', 'pip', '--quiet', '--disable-pip-version-check']
    subprocess.run([*pip, 'wheel', '--no-deps', '--no-build-isolation', '--wheel-dir', tmp_path, ROOT], check=True)
    subprocess.run([sys.executable, '-m', 'venv', tmp_path / 'env'], check=True)
    python = tmp_path / 'env' / 'bin' / 'python'
    install = [python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    subprocess.run([*install, '-c', ROOT / 'requirements' / 'constraints.txt', *NEEDED], check=True)
    subprocess.run([*install, '--no-deps', next(tmp_path.glob('mmris-*.whl'))], check=True)

    predictor = Predictor.from_pretrained('cm-masksd-shaperef', device='cpu')
    export_model(predictor, tmp_path / 'exported')
    picture, sentences = EXAMPLES[1]
    run = subprocess.run([python, '-c', SCRIPT, tmp_path / 'exported', picture, tmp_path / 'out', *sentences],
                         cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told['there'] == []

    predictor.set_image(picture)
    wanted = predictor.predict(sentences)
    np.testing.assert_allclose(told['areas'], wanted.areas, atol=2)
    np.testing.assert_allclose(told['boxes'], wanted.boxes, atol=1)
    assert told['words'] == predictor.read_words(sentences)[0].words
    assert told['coco'][0]['segmentation']['size'] == list(wanted.image.shape[:2])
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    assert names == {'scene_2.json', 'scene_2_overlay.png', *(f'scene_2_{number}_mask.png' for number in (1, 2, 3))}
