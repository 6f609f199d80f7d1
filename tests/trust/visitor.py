"""A visitor of the web page, who speaks to it as its browser does, without a browser."""

import json
import re
from typing import Any, Dict, List, Sequence

FILE = 'gradio_api/file='


class Visitor:
    """Uploads a picture, asks, and fetches what the page shows.

    Args:
        client (Client): Of httpx or of Starlette's tests, with the page's address.
        key (str): What the visitor's page is known by.
    """

    def __init__(self, client: Any, key: str) -> None:
        self._client, self._key = client, key
        config = client.get('/config').json()
        ids = {part['props'].get('elem_id'): part['id'] for part in config['components']}
        self._model = next(part['props']['value'] for part in config['components']
                           if part['props'].get('elem_id') == 'model')
        self._events: Dict[str, int] = {}
        self._outputs: Dict[int, List[int]] = {}
        for event in config['dependencies']:
            self._outputs[event['id']] = event['outputs']
            for target, trigger in event['targets']:
                for name in ('picture', 'find', 'save'):
                    if target == ids[name] and trigger in ('upload', 'click'):
                        self._events[name] = event['id']
        self._names = {number: name for name, number in ids.items()}

    def show(self, content: bytes, name: str) -> str:
        """Upload a picture; the address of what the page then shows."""
        answer = self._client.post('/gradio_api/upload', files=dict(files=(name, content)))
        answer.raise_for_status()
        path, = answer.json()
        file = dict(path=path, orig_name=name, meta=dict(_type='gradio.FileData'))
        return self._say('picture', [file])['picture']['path']

    def ask(self, sentences: Sequence[str]) -> str:
        """Ask; the HTML of the answers."""
        return self._say('find', [self._model, '\n'.join(sentences)])['answers']

    def files(self) -> Dict[str, bytes]:
        """Have files made, and fetch them; their contents by name."""
        links = re.findall(rf'href="{FILE}([^"]+)" download="([^"]+)"', self._say('save', [])['files'])
        found = {}
        for path, name in links:
            answer = self._client.get(f'/{FILE}{path}')
            answer.raise_for_status()
            found[name] = answer.content
        return found

    def _say(self, name: str, data: List[Any]) -> Dict[str, Any]:
        """What the page is told to show, by component."""
        number = self._events[name]
        event = self._client.post(
            '/gradio_api/queue/join', json=dict(data=data, fn_index=number, session_hash=self._key))
        event.raise_for_status()
        with self._client.stream('GET', '/gradio_api/queue/data', params=dict(session_hash=self._key)) as stream:
            lines = [line for line in stream.iter_lines() if line.startswith('data: ')]
        messages = [json.loads(line.removeprefix('data: ')) for line in lines]
        message, = (one for one in messages if one['msg'] == 'process_completed')
        return self._read(number, message)

    def _read(self, number: int, message: Dict[str, Any]) -> Dict[str, Any]:
        output = message['output']
        if not message['success']:
            raise RuntimeError(f'The page could not answer: {output}')
        shown = {self._names[one]: value for one, value in zip(self._outputs[number], output['data'])}
        if shown['message']:
            raise RuntimeError(f'The page said: {shown["message"]}')
        return shown
