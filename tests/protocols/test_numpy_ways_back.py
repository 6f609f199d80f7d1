"""The ways back in NumPy beside those in torch."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from mmris.protocols import PROTOCOLS, find_protocol
from mmris.protocols.geometry import letterbox_affine
from mmris.protocols.numpy_ways_back import sigmoid
from tests.conftest import ROOT

SIZES = [
    # Grid, input, original.
    ((8, 8), (64, 64), (48, 96)),
    ((20, 20), (80, 80), (480, 640)),
    ((120, 120), (480, 480), (37, 61)),
    ((7, 13), (56, 104), (1, 1)),
    ((1, 1), (32, 32), (5, 300)),
]


def compare(protocol, affine, grid, input_size, original):
    logits = 5 * np.random.default_rng(0).standard_normal((3, 1, *grid)).astype(np.float32)
    found = protocol.to_original_pixels(logits, affine, input_size, original)
    expected = protocol.to_original_pixels(torch.from_numpy(logits), affine, input_size, original).numpy()
    assert found.shape == expected.shape == (3, *original) and found.dtype == np.float32
    assert np.abs(found - expected).max() <= 1e-5


@pytest.mark.parametrize('grid, input_size, original', SIZES)
@pytest.mark.parametrize('name', PROTOCOLS)
def test_each_protocol_as_torch(name, grid, input_size, original):
    protocol = find_protocol(name)
    affine = (protocol.geometry.affine if protocol.geometry else letterbox_affine)(original, input_size)
    compare(protocol, affine, grid, input_size, original)


@pytest.mark.parametrize('grid, input_size, original', SIZES)
@pytest.mark.parametrize('resampling', ['cris', 'shared_ris', 'evf_sam', 'evf_sam2'])
def test_each_way_back_with_another_geometry(resampling, grid, input_size, original):
    """A shift by fractions of pixels, out of the input at the left."""
    affine = letterbox_affine(original, input_size) + np.array([[0, 0, -0.7], [0, 0, 0.3]])
    compare(find_protocol('mmris', resampling), affine, grid, input_size, original)


def test_sigmoid_of_any_size():
    with np.errstate(all='raise', under='ignore'):
        found = sigmoid(np.array([-1e4, -20, 0, 20, 1e4], np.float32))
    assert found.dtype == np.float32
    assert np.allclose(found, [0, 2.0611537e-9, 0.5, 1, 1], rtol=1e-6, atol=0)


def test_torch_is_not_imported():
    script = ('import sys, numpy as np\n'
              'from mmris.protocols import find_protocol\n'
              "find_protocol('mmris').to_original_pixels(np.zeros((1, 1, 4, 4), np.float32), np.eye(2, 3), (8, 8), "
              '(8, 8))\n'
              "assert not {'torch', 'mmengine'} & set(sys.modules)")
    done = subprocess.run([sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
