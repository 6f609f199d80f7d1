"""The command line of the web page."""

import builtins
import runpy
import socket
import sys

import pytest

from mmris.web import Limits, Models, find_loaders, server
from tests.conftest import ROOT

CONFIG = str(ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py')


def test_models_of_the_command_line(tmp_path):
    for folder in 'ab':
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'weights.pth').touch()
    one, other = [CONFIG, str(tmp_path / 'a/weights.pth')], [CONFIG, str(tmp_path / 'b/weights.pth')]
    assert list(find_loaders([], [])) == ['cm-masksd-shaperef']
    assert list(find_loaders([], [one, other])) == ['vit-tiny_shaperef (weights.pth)', f'{CONFIG} ({other[1]})']
    assert list(find_loaders(['evf-sam'], [one])) == ['evf-sam', 'vit-tiny_shaperef (weights.pth)']
    loaded = find_loaders([], [], threshold=0.7, device='cpu')['cm-masksd-shaperef']()
    assert loaded.protocol.threshold == 0.7


@pytest.mark.parametrize('names, trained, message', [
    (['cm-masksd-shaperf'], [], 'The zoo has no model .* Did you mean cm-masksd-shaperef'),
    (['clip-vit-b-16'], [], 'clip-vit-b-16 is towers, the encoder of a model, but a whole model is needed here'),
    ([], [['missing.py', 'weights.pth']], 'There is no config missing.py'),
    ([], [[CONFIG, 'weights.pth']], 'There is no checkpoint weights.pth'),
])
def test_mistakes_are_told_before_the_page_is_served(names, trained, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        find_loaders(names, trained)


def test_a_busy_port():
    with server.listen('127.0.0.1', 0) as taken:
        port = taken.getsockname()[1]
        advice = f'Port {port} of 127.0.0.1 is in use. Stop what uses it, or choose another: --port {port + 1}.'
        with pytest.raises(OSError, match=advice):
            server.serve(Models({'one': lambda: None}), port=port)


@pytest.mark.parametrize('host, message', [
    ('no.such.host.invalid', "There is no host 'no.such.host.invalid'. Give a name or an address of this machine"),
    ('192.0.2.1', '192.0.2.1 is no address of this machine. Give one of its own, such as 127.0.0.1.'),
])
def test_a_host_of_elsewhere(host, message):
    with pytest.raises(OSError, match=message):
        server.listen(host, 0)


def test_only_this_machine_by_default():
    with server.listen('127.0.0.1', 0) as listener:
        assert listener.family == socket.AF_INET and listener.getsockname()[0] == '127.0.0.1'


@pytest.mark.parametrize('arguments, status, said', [
    (['--help'], 0, '127.0.0.1'),
    (['--port', '70000'], 2, 'a port from 0 to 65535 is needed, but got 70000'),
    (['--share'], 2, 'unrecognized arguments: --share'),
])
def test_arguments(monkeypatch, capsys, arguments, status, said):
    monkeypatch.setattr(sys, 'argv', ['web.py', *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / 'tools' / 'web.py'), run_name='__main__')
    printed = ''.join(capsys.readouterr())
    assert ended.value.code == status and said in printed and ('--share' in printed) == ('--share' in arguments)


def test_without_gradio(monkeypatch, tmp_path):

    def import_all_but_gradio(name: str, *arguments: object, **settings: object) -> object:
        if name.partition('.')[0] == 'gradio':
            raise ImportError(name)
        return whole(name, *arguments, **settings)

    whole = builtins.__import__
    monkeypatch.setattr(builtins, '__import__', import_all_but_gradio)
    monkeypatch.setattr(server.os, 'environ', {})
    with pytest.raises(ImportError, match=r'needs Gradio. Install it: pip install "mmris\[maintained,web\]"'):
        server.make_app(Models({'one': lambda: None}), tmp_path, Limits())
