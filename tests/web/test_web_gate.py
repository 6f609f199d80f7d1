"""What the served page gives away, and what it does not."""

import asyncio
import io
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Iterator, List

import pytest
from PIL import Image
from starlette.testclient import TestClient

from mmris.web import Limits, Models
from mmris.web.examples import EXAMPLES
from mmris.web.gate import Gate
from mmris.web.server import make_app
from mmris.web.uploads import Uploads
from tests.conftest import ROOT

LIMITS = Limits(file_bytes=2**16, pixels=1000, uploads=3, upload_seconds=60)
FILE = '/gradio_api/file='


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new('RGB', (8, 8)).save(buffer, 'PNG')
    return buffer.getvalue()


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('served')


@pytest.fixture(scope='module')
def client(folder) -> Iterator[TestClient]:
    before = dict(os.environ)
    app, stopping = make_app(Models({'none': lambda: pytest.fail('A model was loaded.')}), folder, LIMITS)
    with TestClient(app, base_url='http://127.0.0.1') as client:
        yield client
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def no_uploads(folder) -> None:
    for path in uploads(folder):
        shutil.rmtree(path)


def uploads(folder: Path) -> List[Path]:
    """The folders of what was uploaded."""
    return [path for path in folder.iterdir() if len(path.name) == 64]


def upload(client: TestClient, content: bytes, name: str = 'a.png'):
    return client.post('/gradio_api/upload', files=dict(files=(name, content)))


def say(client: TestClient, number: int, data: List, key: str = 'key') -> str:
    """What the page gets for an event: all messages of its stream."""
    event = client.post('/gradio_api/queue/join', json=dict(data=data, fn_index=number, session_hash=key))
    assert event.status_code == 200, event.text
    with client.stream('GET', '/gradio_api/queue/data', params=dict(session_hash=key)) as stream:
        return ''.join(stream.iter_text())


def events(client: TestClient, component: str) -> List[int]:
    """The numbers of the events that a component starts."""
    config = client.get('/config').json()
    wanted, = (part['id'] for part in config['components'] if part['props'].get('elem_id') == component)
    return [one['id'] for one in config['dependencies'] if any(target[0] == wanted for target in one['targets'])]


def test_nothing_of_the_page_comes_from_elsewhere(client):
    page = client.get('/')
    assert page.status_code == 200 and 'mmris' in page.text
    fetched = re.findall(r'<(?:script|img|iframe)[^>]+src="([^"]+)"|<link[^>]+href="([^"]+)"', page.text)
    fetched = [one.removeprefix('http://127.0.0.1/') for pair in fetched for one in pair]
    assert fetched and not [one for one in fetched if one.startswith(('http:', 'https:', '//'))]
    assert 'googleapis' not in client.get('/theme.css').text
    policy = page.headers['content-security-policy']
    assert policy.startswith("default-src 'self'") and 'http' not in policy and '*' not in policy


@pytest.mark.parametrize('path', [
    FILE + '/etc/passwd', FILE + '../../../../etc/passwd', FILE + '%2e%2e/%2e%2e/etc/passwd', FILE + '%2Fetc%2Fpasswd',
    FILE + '/proc/self/environ', FILE + str(ROOT / 'setup.py'), FILE + 'setup.py', FILE + 'README.md', FILE,
    FILE + 'http://127.0.0.1:1/', FILE + 'file:///etc/passwd', FILE + '%00', FILE + 'a' * 5000,
    FILE + str(EXAMPLES[0].path.parent / '../page.py'), '/gradio_api/file/etc/passwd', '/gradio_api/proxy=http://a.hf.space',
    '/static/../../../../../../etc/passwd', '/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
    '/assets/..%2f..%2f..%2f..%2froutes.py', '/docs', '/openapi.json', '/gradio_api/openapi.json', '/monitoring',
    '/gradio_api/run/ask', '/gradio_api/call/ask', '/gradio_api/vibe-code', '/gradio_api/dev/reload', '/login',
    '/gradio_api/deep_link', '/gradio_api/stream/a/1/1/playlist.m3u8', '/gradio_api/component_server',
    '/gradio_api/custom_component/1/client/component/index.js'])
def test_nothing_else_can_be_read(client, path):
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code in (403, 404) and 'root:' not in answer.text


def test_through_a_link_and_beside_the_folder(client, folder):
    outside = folder.parent / f'{folder.name}_not'
    outside.mkdir(exist_ok=True)
    (outside / 'secret.txt').write_text('secret')
    assert client.get(f'{FILE}{outside}/secret.txt').status_code == 403
    assert client.get(f'{FILE}{folder}/../{outside.name}/secret.txt').status_code == 403
    (folder / 'link').mkdir(exist_ok=True)
    (folder / 'link' / 'secret.txt').symlink_to(outside / 'secret.txt')
    assert client.get(f'{FILE}{folder}/link/secret.txt').status_code == 403


@pytest.mark.parametrize('name, kind', [
    ('answer.jpg', 'image/jpeg'), ('mask.png', 'image/png'), ('page.html', None), ('drawing.svg', None),
    ('answer.json', None)])
def test_a_browser_shows_pictures_and_saves_all_else(client, folder, name, kind):
    path = folder / name
    assert client.get(f'{FILE}{path}').status_code == 403, 'as after its visitor has left'
    path.write_bytes(b'content')
    answer = client.get(f'{FILE}{path}')
    assert (answer.status_code, answer.content) == (200, b'content')
    assert answer.headers['content-type'] == (kind or 'application/octet-stream')
    assert ('attachment' in answer.headers.get('content-disposition', '')) == (kind is None)
    assert 'content-security-policy' in answer.headers


def test_what_is_served(client):
    path, = upload(client, png()).json()
    assert client.get(f'{FILE}{path}').content == png()
    assert client.get(f'{FILE}{EXAMPLES[0].path}').content == EXAMPLES[0].path.read_bytes()


@pytest.mark.parametrize('path', ['/etc/passwd', 'http://127.0.0.1:1/a.png', 'https://example.com/a.png', 7, ['/etc'],
                                  str(ROOT / 'docs/images/try.png')])
@pytest.mark.parametrize('component', ['picture', 'find'])
def test_an_event_names_no_other_file(client, path, component):
    """Also where no file belongs: Gradio fetches an address wherever it stands."""
    file = dict(path=path, meta=dict(_type='gradio.FileData'))
    number = events(client, component)[0]
    body = dict(data=[file, dict(deep=[file])], fn_index=number, session_hash='key')
    assert client.post('/gradio_api/queue/join', json=body).status_code == 403


def test_no_event_at_all(client):
    for body in (b'', b'{', b'[' * 100_000, b'{"data":' * 2000):
        assert client.post('/gradio_api/queue/join', content=body).status_code == 403


def test_uploads_are_bounded_in_bytes(client, folder):
    one = upload(client, bytes(2**16 + 1))
    many = client.post('/gradio_api/upload', files=[('files', (f'{n}.png', bytes(40_000))) for n in range(20)])
    assert one.status_code == many.status_code == 413
    assert many.text == 'A picture may have 0.0625 MB and 0.001 million pixels.'
    assert 'maximum allowed size of 65536 bytes' in one.text
    assert client.post('/gradio_api/queue/join', content=bytes(600_000)).status_code == 413
    assert uploads(folder) == []


def test_uploads_are_bounded_in_number_and_time(client, folder):
    for number in range(3):
        assert upload(client, png() + bytes(number)).status_code == 200
    refused = upload(client, png() + bytes(9))
    assert refused.status_code == 429 and 'Too many pictures were uploaded' in refused.text
    first = uploads(folder)[0]
    os.utime(first, times=(time.time() - 61, ) * 2)
    assert upload(client, png() + bytes(9)).status_code == 200 and not first.exists()
    assert (folder / 'visitors').is_dir()


def test_swept_without_visitors(tmp_path):
    (tmp_path / ('a' * 64)).mkdir()
    (tmp_path / 'visitors').mkdir()

    async def sweep_for_a_while() -> None:
        await asyncio.wait_for(Uploads(tmp_path, Limits(upload_seconds=0.01)).keep_sweeping(), 0.3)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(sweep_for_a_while())
    assert [path.name for path in tmp_path.iterdir()] == ['visitors']


def test_a_body_in_pieces_is_bounded(tmp_path):
    """Without a length in front, it is not read beyond the limit."""
    pieces, sent = iter([b'x' * 300_000] * 100), []

    async def receive() -> dict:
        return dict(type='http.request', body=next(pieces), more_body=True)

    async def send(message: dict) -> None:
        sent.append(message)

    async def app(*_: object) -> None:
        pytest.fail('The page got it.')

    scope = dict(type='http', method='POST', path='/gradio_api/queue/join', headers=[])
    asyncio.run(Gate(app, Uploads(tmp_path, LIMITS), [], LIMITS)(scope, receive, send))
    assert sent[0]['status'] == 413 and len(list(pieces)) == 98


def test_what_goes_wrong_is_said_on_the_page(client):
    """In the words of the service, and the picture is taken back."""
    path, = upload(client, b'text', 'notes.png').json()
    number, = (one for one in events(client, 'picture')[:1])
    said = say(client, number, [dict(path=path, orig_name='notes.png', meta=dict(_type='gradio.FileData'))])
    assert 'notes.png is no picture of a format that this page reads' in said and '"success":true' in said
    assert 'There is no picture. Drop one first.' in say(client, events(client, 'find')[0], ['none', 'the star'])


def test_a_fault_of_the_program_is_not_told(client, monkeypatch, capsys):
    monkeypatch.setattr('mmris.web.service.Service.ask', lambda *_: 1 / 0)
    said = say(client, events(client, 'find')[0], ['none', 'the star'])
    assert 'Something went wrong on the server. Its terminal shows what.' in said and 'division' not in said
    assert 'ZeroDivisionError' in capsys.readouterr().err


def test_a_visitor_cannot_start_what_the_page_does_not_offer(client):
    assert json.loads(client.get('/gradio_api/info').text) == dict(named_endpoints={}, unnamed_endpoints={})
