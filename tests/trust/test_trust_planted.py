"""The hook sees each kind of violation, and does not take for one what is allowed."""

import re
from textwrap import indent

import pytest

from tests.trust.audit import Violation
from tests.trust.harmless import HARMLESS, OF_CONFIGS
from tests.trust.scene import Scene

# Imports once, and forks a process for each deed, which makes a scene of its own and is watched.
HEAD = '''
import ctypes, importlib, multiprocessing, os, pickle, runpy, shutil, socket, sqlite3, subprocess, sys, tempfile
from pathlib import Path
import numpy, torch, torch.utils.data
from mmris.checkpoints import read_checkpoint
from mmris.web.server import listen
from tests.trust.audit import Audit
from tests.trust.scene import Scene

def prepare(scene):
    global given, home, work
    given, home, work = scene.given, scene.home, scene.work
    os.environ.update(scene.environment())
    tempfile.tempdir = None
    (given / "stranger.py").write_text("value = 1")
    (given / "empty").mkdir()
    (given / "link").symlink_to(work)
    (work / "link").symlink_to(given)
    (given / "pickle").write_bytes(pickle.dumps(os.path.join))
    torch.save(dict(state_dict=os.path.join), given / "asks.pth")
    sys.path.insert(0, str(given))

def watch(folder, deed, allowed):
    scene = Scene(Path(folder))
    prepare(scene)
    before = scene.snapshot()
    audit = Audit(scene.log, writable=scene.writable, **allowed)
    audit.arm()
    deed()
    audit.armed = False
    for path in scene.changed_since(before):
        audit.report("written unseen", path)

def main(folder):
    for number, (deed, allowed) in enumerate(DEEDS):
        process = os.fork()
        if not process:
            try:
                watch(f"{folder}/{number}", deed, allowed)
            except BaseException as error:
                print(number, repr(error), flush=True)
                os._exit(1)
            os._exit(0)
        os.waitpid(process, 0)

DEEDS = []
'''
G = r'/given/stranger\.py'
PLANTS = [
    # Code.
    ('import stranger', 'exec', G),
    ('importlib.import_module("stranger")', 'compile', G),
    ('runpy.run_path(str(given / "stranger.py"))', 'exec', G),
    ('exec((given / "stranger.py").read_text())', 'exec', '^<string>$'),
    ('eval("1 + 1")', 'exec', '^<string>$'),
    ('exec(compile("a = 1", str(given / "a"), "exec"))', 'exec', '/given/a$'),
    ('try: ctypes.CDLL(str(given / "library.so"))\nexcept OSError: pass', 'ctypes.dlopen', r'/given/library\.so'),
    ('pickle.loads((given / "pickle").read_bytes())', 'pickle.find_class', r'^posixpath\.join'),
    ('torch.load(given / "asks.pth", weights_only=False)', 'pickle.find_class', r'^posixpath\.join'),
    # Processes.
    ('subprocess.run(["true"])', 'subprocess.Popen', "'true'"),
    ('os.system("true")', 'os.system', 'true'),
    ('os.posix_spawn("/bin/true", ["true"], {})', 'os.posix_spawn', '/bin/true'),
    ('os.waitpid(os.spawnv(os.P_NOWAIT, "/bin/true", ["true"]), 0)', 'os.fork', 'os.fork'),
    ('one = multiprocessing.get_context("fork").Process(target=int); one.start(); one.join()', 'os.fork', 'os.fork'),
    ('if os.fork() == 0: os.execv("/bin/true", ["true"])\nos.wait()', 'os.exec', '/bin/true'),
    # Network.
    ('try: socket.create_connection(("127.0.0.1", 9), 1)\nexcept OSError: pass', 'socket.connect', r"127\.0\.0\.1', 9"),
    ('socket.socket().bind(("127.0.0.1", 0))', 'socket.bind', r'127\.0\.0\.1'),
    ('try: socket.getaddrinfo("host.invalid", 80)\nexcept OSError: pass', 'socket.getaddrinfo', r'host\.invalid'),
    ('socket.socket(type=socket.SOCK_DGRAM).sendto(b"a", ("127.0.0.1", 9))', 'socket.sendto', r'127\.0\.0\.1'),
    # Files.
    ('(given / "new").write_text("a")', 'open', '/given/new$'),
    ('open(given / "stranger.py", "r+")', 'open', G),
    ('os.open(given / "stranger.py", os.O_RDWR)', 'open', G),
    ('(work / "link" / "new").write_text("a")', 'open', '/given/new$'),
    ('os.chdir(given); open("new", "w")', 'open', '/given/new$'),
    ('Path("/tmp/mmris_planted").touch(); Path("/tmp/mmris_planted").unlink()', 'open', '^/tmp/mmris_planted$'),
    ('(given / "stranger.py").rename(work / "mine")', 'os.rename', G),
    ('(work / "mine").touch(); (work / "mine").rename(given / "new")', 'os.rename', '/given/new$'),
    ('(given / "stranger.py").unlink()', 'os.remove', G),
    ('shutil.rmtree(given / "empty")', 'os.rmdir', '/given/empty$'),
    ('(given / "new").mkdir()', 'os.mkdir', '/given/new$'),
    ('(given / "link").unlink()', 'os.remove', '/given/link$'),
    ('(given / "new").symlink_to(work)', 'os.symlink', '/given/new$'),
    ('os.truncate(given / "stranger.py", 0)', 'os.truncate', G),
    ('os.chmod(given / "stranger.py", 0o600)', 'os.chmod', G),
    ('sqlite3.connect(given / "new")', 'sqlite3.connect', '/given/new$'),
    ('torch.save({}, str(given / "native.pth"))', 'written unseen', r'/given/native\.pth$'),
    ('(home / "settings").write_text("a")', 'open', '/home/settings$'),
    # In a process that was forked.
    ('if os.fork() == 0:\n    (given / "new").write_text("a")\n    os._exit(0)\nos.wait()', 'open', '/given/new$'),
]
ALLOWED = [
    ('(work / "new").write_text("a"); (work / "new").unlink()', {}),
    ('tempfile.mkdtemp(); shutil.rmtree(tempfile.mkdtemp())', {}),
    ('(home / ".cache/mmris").mkdir(parents=True); (home / ".cache/mmris/file").write_text("a")', {}),
    ('(given / "link/new").write_text("a")', {}),
    ('open(os.devnull, "w"); (given / "stranger.py").read_text(); list(given.iterdir())', {}),
    ('import xml.dom.minidom, mmris.evaluation', {}),
    ('try: read_checkpoint(given / "asks.pth")\nexcept Exception as error: assert "posixpath" in str(error)', {}),
    ('list(torch.utils.data.DataLoader([1, 2], num_workers=1))', dict(forks=True)),
    ('listen("127.0.0.1", 0).close()', dict(port=True)),
]




@pytest.fixture(scope='module')
def watched(tmp_path_factory):
    """By each deed what the hook lists."""
    folder = tmp_path_factory.mktemp('watched')
    deeds = [(deed, {}) for deed, _, _ in PLANTS] + ALLOWED
    parts = [HEAD]
    for number, (deed, allowed) in enumerate(deeds):
        parts.append(f'def deed_{number}():\n{indent(deed, "    ")}\n\nDEEDS.append((deed_{number}, {allowed!r}))\n')
    (folder / 'program.py').write_text('\n'.join([*parts, 'main(sys.argv[1])']))
    output = Scene(folder / 'scene').run(folder / 'program.py', folder)
    assert not output, output
    return {deed: Scene(folder / str(number)).violations() for number, (deed, _) in enumerate(deeds)}


@pytest.mark.parametrize('deed, event, what', PLANTS, ids=[deed for deed, _, _ in PLANTS])
def test_it_is_listed(watched, deed, event, what):
    found = [one for one in watched[deed] if one.event == event and re.search(what, one.what)]
    assert found, watched[deed]
    if event != 'written unseen':
        assert any('deed_' in call for call in found[0].stack), found[0]


@pytest.mark.parametrize('deed', [deed for deed, _ in ALLOWED])
def test_it_is_allowed(watched, deed):
    assert watched[deed] == []


def test_what_is_harmless_is_so_from_one_place_alone(watched):
    """Who else does the same is listed."""
    for one in (*HARMLESS, *OF_CONFIGS):
        event, there = one.events[0], f'/site-packages/{one.by}/a.py'
        assert one.fits(event, f'{one.begins} more', [(there, 1, 'a')])
        assert not one.fits(event, f'{one.begins} more', [('/elsewhere/a.py', 1, 'a')])
        assert not one.fits(event, f'{one.begins} more', [('/elsewhere/a.py', 1, 'a')] * one.depth + [(there, 1, 'a')])
        assert len(one.reason) > 20


def test_how_it_is_shown():
    one = Violation('os.system', "b'true'", ['a.py:3 run', 'b.py:7 main'])
    assert str(one) == "os.system: b'true'\n    a.py:3 run\n    b.py:7 main"
