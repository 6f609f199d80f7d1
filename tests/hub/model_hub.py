"""A server that plays the Hugging Face hub: repositories that its client makes, writes to in commits, and reads."""

import base64
import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ContextManager, Dict, List, Optional, Set
from urllib.parse import unquote, urlsplit

from tests.zoo.hub_server import running

TOKEN = 'hf_writes'
_NAME = r'([\w.-]+/[\w.-]+)'


class Repository:
    """A repository: its files, and the messages of its commits."""

    def __init__(self, private: bool = False) -> None:
        self.private = private
        self.files: Dict[str, bytes] = {}
        self.messages: List[str] = []

    @property
    def commit(self) -> str:
        """str: Changes with the content."""
        digest = hashlib.sha1(str(len(self.messages)).encode())
        for name, content in sorted(self.files.items()):
            digest.update(name.encode() + content)
        return digest.hexdigest()


class ModelHub(ThreadingHTTPServer):
    """Has repositories of the account ``user``, which a client with :data:`TOKEN` may write to.

    Attributes:
        repositories (dict[str, Repository]): By name.
        blobs (dict[str, bytes]): Large files by their SHA-256.
        downloads (dict[str, set[str]]): Names of the files that were downloaded, by repository.
        breaks (set[str]): Repositories to which the next upload of a large file fails.
    """
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.repositories: Dict[str, Repository] = {}
        self.blobs: Dict[str, bytes] = {}
        self.downloads: Dict[str, Set[str]] = {}
        self.breaks: Set[str] = set()

    @property
    def address(self) -> str:
        return f'http://127.0.0.1:{self.server_port}'


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_HEAD(self) -> None:  # noqa: N802
        self.route('HEAD')

    def do_GET(self) -> None:  # noqa: N802
        self.route('GET')

    def do_POST(self) -> None:  # noqa: N802
        self.route('POST')

    def do_PUT(self) -> None:  # noqa: N802
        self.route('PUT')

    def route(self, method: str) -> None:
        """Find what answers a request."""
        self.body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        path = unquote(urlsplit(self.path).path)
        routes = {
            rf'/{_NAME}/resolve/[^/]+/(.+)': self.send_file,
            rf'/api/models/{_NAME}(?:/revision/[^/]+)?': self.send_info,
            rf'/api/models/{_NAME}/tree/[^/]+': self.send_tree,
            r'/api/repos/create': self.create,
            r'/api/validate-yaml': self.validate,
            rf'/api/models/{_NAME}/preupload/[^/]+': self.preupload,
            rf'/{_NAME}\.git/info/lfs/objects/batch': self.batch,
            rf'/lfs/{_NAME}/(\w+)': self.put,
            rf'/api/models/{_NAME}/commit/[^/]+': self.commit,
        }
        for pattern, act in routes.items():
            found = re.fullmatch(pattern, path)
            if found:
                return act(*found.groups())
        return self.answer(404, dict(error=f'no route for {method} {path}'))

    def answer(self, status: int, content: Any, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    @property
    def may_write(self) -> bool:
        return self.headers.get('Authorization') == f'Bearer {TOKEN}'

    def find(self, name: str) -> Optional[Repository]:
        """A repository that the client may see; otherwise the answer that there is none is sent."""
        found = self.server.repositories.get(name)
        if found is None or found.private and not self.may_write:
            self.answer(404, dict(error='Repository not found'), X_Error_Code='RepoNotFound')
            return None
        return found

    def send_info(self, name: str) -> None:
        found = self.find(name)
        if found is not None:
            self.answer(200, dict(id=name, private=found.private, sha=found.commit, tags=[],
                                  siblings=[dict(rfilename=file) for file in found.files]))

    def send_tree(self, name: str) -> None:
        found = self.find(name)
        if found is not None:
            self.answer(200, [dict(type='file', path=file, size=len(content), oid='0' * 40)
                              for file, content in found.files.items()])

    def send_file(self, name: str, file: str) -> None:
        found = self.find(name)
        if found is None:
            return
        if file not in found.files:
            self.answer(404, b'', X_Error_Code='EntryNotFound', X_Repo_Commit=found.commit)
            return
        content = found.files[file]
        if self.command == 'GET':
            self.server.downloads.setdefault(name, set()).add(file)
        self.answer(200, content, X_Repo_Commit=found.commit, ETag=f'"{hashlib.sha256(content).hexdigest()}"')

    def create(self) -> None:
        asked = json.loads(self.body)
        name = f'{asked["organization"] or "user"}/{asked["name"]}'
        if not self.may_write:
            self.answer(401, dict(error='Invalid username or password.'))
        elif not name.startswith('user/'):
            self.answer(403, dict(error='You do not have the rights to create a model there'))
        else:
            there = name in self.server.repositories
            # By different versions of the client.
            private = asked.get('private') or asked.get('visibility') == 'private'
            self.server.repositories.setdefault(name, Repository(bool(private)))
            self.answer(409 if there else 200, dict(url=f'{self.server.address}/{name}', name=name))

    def validate(self) -> None:
        self.answer(200, dict(errors=[], warnings=[]))

    def preupload(self, name: str) -> None:
        files = json.loads(self.body)['files']
        self.answer(200, dict(files=[
            dict(path=file['path'], uploadMode='lfs' if file['path'].endswith('.safetensors') else 'regular',
                 shouldIgnore=False) for file in files]))

    def batch(self, name: str) -> None:
        objects = json.loads(self.body)['objects']
        self.answer(200, dict(transfer='basic', objects=[
            dict(one, actions=dict(upload=dict(href=f'{self.server.address}/lfs/{name}/{one["oid"]}')))
            for one in objects]))

    def put(self, name: str, digest: str) -> None:
        if name in self.server.breaks:
            self.server.breaks.remove(name)
            self.answer(400, dict(error='broken'))
            return
        assert hashlib.sha256(self.body).hexdigest() == digest
        self.server.blobs[digest] = self.body
        self.answer(200, b'')

    def commit(self, name: str) -> None:
        found = self.find(name)
        if found is None:
            return
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry['value']
            if entry['key'] == 'header':
                found.messages.append(value['summary'])
            elif entry['key'] == 'deletedFile':
                del found.files[value['path']]
            elif entry['key'] == 'lfsFile':
                found.files[value['path']] = self.server.blobs[value['oid']]
            else:
                found.files[value['path']] = base64.b64decode(value['content'])
        self.answer(200, dict(commitUrl=f'{self.server.address}/{name}/commit/{found.commit}', commitOid=found.commit,
                              pullRequestUrl=None))

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def serve_models() -> ContextManager[ModelHub]:
    """A running server."""
    return running(ModelHub())
