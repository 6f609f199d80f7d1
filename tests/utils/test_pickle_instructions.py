"""What a pickle may ask of memory and time."""

import pickle
import random

import pytest

from mmris.utils.pickle_instructions import check_pickle

VALUES = [
    None, True, 1.5, -5, 300, 70000, 2**40, 2**500, 2**9000, 'é\n', 'x' * 300, 'x' * 70000, b'bytes', b'b' * 300,
    [], [1, [2, [3]]], (), (1, ), (1, 2), (1, 2, 3), (1, 2, 3, 4), {}, {'a': 1, 'b': (2, (3, ))}, {1, 2},
    frozenset('ab'), bytearray(b'b'), [(1, 2)] * 50, [str(number) for number in range(1000)], complex(1, 2)
]


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_whatever_python_writes_passes(protocol):
    for value in [*VALUES, VALUES, [VALUES] * 3, [[number] for number in range(70000)]]:
        content = pickle.dumps(value, protocol=protocol)
        assert check_pickle(content) == len(content)
        assert check_pickle(b'begin' + content + b'end', 5) == 5 + len(content)


@pytest.mark.parametrize('content, message', [
    # Python's reader would make room for two thousand million objects: 32 GiB.
    (b'\x80\x02]r\xff\xff\xff\x7f.', 'it numbers an object 2147483647 among fewer than 9'),
    (b'(lp2000000000\n.', "it numbers an object b'2000000000' among fewer than 15"),
    (b']p-1\n.', "it numbers an object b'-1' among"),
    (b'\x80\x02X\xff\xff\xff\x7fabc.', 'it ends early'),
    (b'\x80\x05\x8d' + b'\xff' * 8 + b'abc.', 'it ends early'),
    (b'\x80\x05\x96' + bytes(8) + b'.', 'it has an empty bytearray at byte 2'),
    (b'\x80\x02]', 'it ends early'),
    (b'', 'it ends early'),
])
def test_memory_and_time_out_of_proportion(content, message):
    with pytest.raises(pickle.UnpicklingError, match=message):
        check_pickle(content)


@pytest.mark.parametrize('body', [
    # To make a key of them, Python goes down without a limit, which ends the process,
    b'\x85' * 100000,
    b'(' * 100000 + b')' + b't' * 100000,
    b'N\x86' * 100000,
    b'q\x01h\x01\x86' * 5000,
    # or takes each one twice as often as the one around it, without an end.
    b'2\x86' * 40,
    b''.join(b'\x940h%ch%c\x86' % (number, number) for number in range(40)),
    b'q\x010(h\x01h\x01h\x01t' * 40,
], ids=['deep', 'marks', 'pairs', 'memo', 'doubled', 'memoised', 'tripled'])
@pytest.mark.parametrize('begin, end', [(b'}', b'Ns.'), (b'\x8f(', b'\x90.')], ids=['key', 'set'])
def test_tuples_in_tuples(begin, end, body):
    with pytest.raises(pickle.UnpicklingError, match='more than 1,000 tuples inside a tuple at byte'):
        check_pickle(b'\x80\x04' + begin + b')' + body + end)


def test_random_bytes_end():
    """No content makes the check fail in another way, or pass what Python then refuses for its instructions."""
    draw = random.Random(0)
    whole = pickle.dumps(VALUES, protocol=4)
    for _ in range(2000):
        content = bytearray(whole[:draw.randrange(200, 2000)])
        for _ in range(draw.randrange(1, 9)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        try:
            assert check_pickle(bytes(content)) <= len(content)
        except pickle.UnpicklingError:
            pass
