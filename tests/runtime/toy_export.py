"""An export folder of a toy model: its masks are the image's brightness, turned by a number that the words give."""

import hashlib
import json
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CELL, SIZE, WIDE = 8, 64, (12, 20)
WORDS = ('[PAD]', '[UNK]', '[BEGIN]', '[END]', 'the', 'red', 'star', 'on', 'left', '象')
OPSET = 17


def float_info(name: str, shape: list) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def constant(name: str, values: Any, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=dtype), name)


def save_graph(path: Path, nodes: list, inputs: list, outputs: list, constants: list) -> None:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def save_image_graph(path: Path, *, other_view: bool) -> None:
    """``cells`` is the mean of the pixels in each cell, from -0.5 to 0.5; ``share`` of the input
    is filled, and ``mean`` is the brightness of the other view, 0 if there is none."""
    nodes = [
        helper.make_node('AveragePool', ['pixels'], ['pooled'], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node('ReduceMean', ['pooled'], ['grey'], axes=[1], keepdims=1),
        helper.make_node('Div', ['grey', 'white'], ['bright']),
        helper.make_node('Sub', ['bright', 'half'], ['cells']),
        helper.make_node('Split', ['box'], ['x0', 'y0', 'x1', 'y1'], axis=1),
        helper.make_node('Sub', ['x1', 'x0'], ['width']),
        helper.make_node('Sub', ['y1', 'y0'], ['height']),
        helper.make_node('Mul', ['width', 'height'], ['area']),
        helper.make_node('Div', ['area', 'whole'], ['share']),
        helper.make_node('Mul', ['pixels', 'nought'], ['dark']),
        helper.make_node('ReduceMean', ['pixels_wide' if other_view else 'dark'], ['wide'], axes=[1, 2, 3], keepdims=0),
        helper.make_node('Div', ['wide', 'white'], ['mean']),
    ]
    inputs = [float_info('pixels', [1, 3, SIZE, SIZE]), float_info('box', [1, 4])]
    inputs += [float_info('pixels_wide', [1, 3, *WIDE])] * other_view
    outputs = [float_info('cells', [1, 1, SIZE // CELL, SIZE // CELL]), float_info('share', [1, 1]),
               float_info('mean', [1])]
    save_graph(path, nodes, inputs, outputs,
               [constant('white', 255), constant('half', 0.5), constant('whole', SIZE * SIZE), constant('nought', 0)])


def save_sentences_graph(path: Path, *, existence: bool = True) -> None:
    """``logits = 8 cells sin(t) + share - mean``, ``existence = 3 cos(t)``; t is 0.01 of the sum of the real ids."""
    nodes = [
        helper.make_node('Cast', ['token_ids'], ['numbers'], to=TensorProto.FLOAT),
        helper.make_node('Cast', ['token_mask'], ['real'], to=TensorProto.FLOAT),
        helper.make_node('Mul', ['numbers', 'real'], ['words']),
        helper.make_node('ReduceSum', ['words', 'axis'], ['sum'], keepdims=0),
        helper.make_node('Mul', ['sum', 'hundredth'], ['turn']),
        helper.make_node('Sin', ['turn'], ['sine']),
        helper.make_node('Reshape', ['sine', 'column'], ['weight']),
        helper.make_node('Mul', ['weight', 'eight'], ['weight8']),
        helper.make_node('Mul', ['weight8', 'cells'], ['turned']),
        helper.make_node('Sub', ['share', 'mean'], ['offset']),
        helper.make_node('Add', ['turned', 'offset'], ['logits']),
        helper.make_node('Cos', ['turn'], ['cosine']),
        helper.make_node('Mul', ['cosine', 'three'], ['existence']),
    ]
    cells = SIZE // CELL
    inputs = [
        helper.make_tensor_value_info('token_ids', TensorProto.INT64, ['P', 'L']),
        helper.make_tensor_value_info('token_mask', TensorProto.BOOL, ['P', 'L']),
        float_info('cells', [1, 1, cells, cells]), float_info('share', [1, 1]), float_info('mean', [1])
    ]
    outputs = [float_info('logits', ['P', 1, cells, cells])] + [float_info('existence', ['P'])] * existence
    save_graph(path, nodes if existence else nodes[:-2], inputs, outputs, [
        constant('axis', [1], np.int64), constant('hundredth', 0.01), constant('column', [-1, 1, 1, 1], np.int64),
        constant('eight', 8), constant('three', 3)
    ])


def logits_of(cells: np.ndarray, share: float, mean: float, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What the graphs compute: ``(P, 1, h, w)`` of ``(h, w)`` cells."""
    turn = (ids * mask).sum(axis=1) * 0.01
    return (8 * np.sin(turn)[:, None, None] * cells + share - mean)[:, None].astype(np.float32)


def describe(path: Path) -> dict:
    content = path.read_bytes()
    return dict(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def write_export(folder: Path, *, existence: bool = True, other_view: bool = True,
                 tokenizer: Optional[dict] = None, change: Optional[Callable[[dict], None]] = None,
                 **fields: Any) -> Path:
    """Write the folder. ``change`` edits the card before it is written; ``fields`` replace fields of it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_image_graph(folder / 'image.onnx', other_view=other_view)
    save_sentences_graph(folder / 'sentences.onnx', existence=existence)
    (folder / 'vocabulary.txt').write_text('\n'.join(WORDS) + '\n', encoding='utf-8')
    tokenizer = tokenizer or dict(
        type='WordTokenizer', context_length=8, pad_to_longest=False, vocabulary='vocabulary.txt')
    names = ['image.onnx', 'sentences.onnx', tokenizer['vocabulary']]
    card = dict(
        format='mmris-export',
        version=1,
        mmris_version='0.1.0',
        config='toy.py',
        weights=dict(name='toy.pth', sha256='0' * 64),
        views=[dict(name='wide', geometry=dict(type='Resize', size=list(WIDE)))] * other_view +
        [dict(name='main', geometry=dict(type='Letterbox', size=[SIZE, SIZE], border_colour=[0, 0, 0]))],
        tokenizer=tokenizer,
        protocol=dict(name='rela', resampling=None, threshold=0.5, existence_threshold=0.5),
        max_expressions=64,
        state=['cells', 'share', 'mean'],
        forms=dict(float32=dict(image='image.onnx', sentences='sentences.onnx')),
        files={name: describe(folder / name) for name in names})
    card.update(fields)
    if change is not None:
        change(card)
    (folder / 'card.json').write_text(json.dumps(card))
    return folder


def list_files(folder: Path) -> None:
    """Make the card true to the files."""
    card = json.loads((folder / 'card.json').read_text())
    card['files'] = {name: describe(folder / name) for name in card['files']}
    (folder / 'card.json').write_text(json.dumps(card))
