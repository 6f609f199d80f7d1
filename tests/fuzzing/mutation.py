"""Changes to files that keep their structure: bytes alone rarely get past a checksum or a parser."""

import csv
import io
import json
import pickletools
import random
import zipfile
from typing import Any, Callable, List, Tuple

from .target import Mutate

# What stands where something else is expected.
_VALUES: Tuple[Callable[[random.Random], Any], ...] = (
    lambda draw: draw.choice([None, True, False, 0, 1, -1, 2, 0.5, -0.0, 255, 65536]),
    lambda draw: draw.choice([2**31, 2**32, 2**53, 2**63 - 1, 2**63, -2**63, -2**64, 10**30, 10**400]),
    lambda draw: draw.choice([float('nan'), float('inf'), float('-inf'), 1e308, -1e308, 1e-320]),
    lambda draw: draw.choice(['', ' ', 'a', '1', '-1', '007', '1e5', '\0', '\ud800', '\udfff', '\u2028', '\ufeff', 'é',
                              '..', '.', '/', '../../../../etc/passwd', '/etc/passwd', '/dev/zero', 'C:\\a',
                              'http://127.0.0.1:9/a.jpg', 's3://a/b', 'file:///etc/passwd', '://', '{{a}}', '%s']),
    lambda draw: draw.choice('ax0\0é\ud800') * draw.choice([100, 300, 5000, 100000]),
    lambda draw: draw.choice([[], {}, [[]], [{}], [None], {'': None}, [0, 0, 1, 1], [[0, 0, 1, 1, 2, 2]]]),
    lambda draw: _nested(draw.choice([5, 60, 400, 990])),
    lambda draw: [draw.randint(-5, 300) for _ in range(draw.choice([1, 2, 3, 4, 6, 7, 50, 3000]))],
    lambda draw: [draw.uniform(-1e3, 1e3) for _ in range(draw.choice([2, 4, 6, 8, 500]))],
)


def _nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def mutate_bytes(content: bytes, most: int, seed: int) -> bytes:
    """Change bytes: by libFuzzer, or by a part that stands there thousands of times."""
    draw = random.Random(seed)
    if content and draw.random() < 0.05:
        start = draw.randrange(len(content))
        part = content[start:start + draw.choice([1, 2, 4, 16, 100])]
        times = min(draw.choice([10, 1000, 100000]), max(1, (most - len(content)) // len(part)))
        return (content[:start] + part * times + content[start:])[:most]
    import atheris
    return atheris.Mutate(content[:most], most)[:most]


def _alternating(structured: Callable[[bytes, random.Random], bytes], share: float = 0.8) -> Mutate:
    """Mostly change the structure; where there is none, or to be shorter, bytes."""

    def mutate(content: bytes, most: int, seed: int) -> bytes:
        draw = random.Random(seed)
        if draw.random() < share:
            try:
                changed = structured(content, draw)
                if len(changed) <= most:
                    return changed
            except Exception:
                # The content is no longer of the format.
                pass
        return mutate_bytes(content, most, seed)

    return mutate


# ------------------------------------------------------------------------------------------------------------ JSON


def change_value(value: Any, draw: random.Random) -> Any:
    """Change one to three places of a parsed document."""
    for _ in range(draw.choice([1, 1, 2, 3])):
        holders = list(_holders(value))
        if not holders or draw.random() < 0.02:
            value = draw.choice(_VALUES)(draw)
        else:
            _change_at(draw.choice(holders), value, draw)
    return value


def _holders(value: Any) -> List[Any]:
    """All lists and dicts that are not empty."""
    found, left = [], [value]
    while left and len(found) < 3000:
        one = left.pop()
        if isinstance(one, (list, dict)) and one:
            found.append(one)
            left.extend(one.values() if isinstance(one, dict) else one)
    return found


def _change_at(holder: Any, root: Any, draw: random.Random) -> None:
    key = draw.choice(list(holder)) if isinstance(holder, dict) else draw.randrange(len(holder))
    kind, old = draw.random(), holder[key]
    if kind < 0.5:
        holder[key] = draw.choice(_VALUES)(draw)
    elif kind < 0.6:
        del holder[key]
    elif kind < 0.7:
        other = draw.choice(_holders(root))
        holder[key] = json.loads(json.dumps(draw.choice(list(other.values()) if isinstance(other, dict) else other)))
    elif kind < 0.78 and isinstance(holder, dict):
        holder[draw.choice(['', '\ud800', 'a' * 300, 'type', *holder])] = holder.pop(key)
    elif kind < 0.86 and isinstance(holder, list):
        holder.insert(key, old)
    elif kind < 0.93:
        holder[key] = [old]
    elif isinstance(old, (int, float)) and not isinstance(old, bool):
        holder[key] = draw.choice([str(old), old + 1, -old, old * 10**6, old / 3])
    else:
        holder[key] = str(old) if not isinstance(old, str) else old + draw.choice(['\0', '\ud800', '/', ' ', '9'])


def _dump(value: Any, draw: random.Random) -> bytes:
    text = json.dumps(value, ensure_ascii=draw.random() < 0.7)
    return text.encode('utf-8', 'surrogatepass')


def _change_json(content: bytes, draw: random.Random) -> bytes:
    return _dump(change_value(json.loads(content), draw), draw)


def _change_lines(content: bytes, draw: random.Random) -> bytes:
    lines = content.split(b'\n')
    place = draw.randrange(len(lines))
    lines[place] = _change_json(lines[place], draw)
    return b'\n'.join(lines)


# ---------------------------------------------------------------------------------------------------------- pickle


_PIECES = (
    b'r\xff\xff\xff\x7f', b'p2000000000\n', b'j\xff\xff\xff\x7f', b'cos\nsystem\n', b'cbuiltins\neval\n', b'(lp0\n',
    b'\x8d\xff\xff\xff\xff\xff\xff\xff\x7f', b'B\xff\xff\xff\x7f', b'\x8b\xff\xff\xff\x7f', b'J\xff\xff\xff\x7f', b'N',
    b'2\x86' * 60, b'\x85' * 3000, b']' * 3000, b'(' * 3000, b'0', b'1', b'2', b'a', b'b', b'e', b's', b'u', b'o',
    b'\x81', b'\x92', b'R', b'd', b'}', b')', b'\x8f', b'\x90', b'\x91', b'Q', b'Pabc\n', b'\x82\x01', b'\x84\1\0\0\0',
    b'cnumpy\ndtype\n', b'I999999999999999999999999\n', b'I' + b'9' * 5000 + b'\n', b'Fnan\n', b"S'a'\n", b'V\\ud800\n',
    b'\x8c\x01a', b'cbuiltins\nset\n', b'(i__main__\nA\n', b'\x97', b'\x98', b'\x96\xff\xff\xff\xff\xff\xff\xff\x7f')


def change_pickle(content: bytes, draw: random.Random) -> bytes:
    """Change instructions of a pickle."""
    places = [place for _, _, place in pickletools.genops(content)] + [len(content)]
    parts = [content[start:end] for start, end in zip(places, places[1:])]
    for _ in range(draw.choice([1, 1, 2, 4])):
        place, kind = draw.randrange(len(parts)), draw.random()
        if kind < 0.4:
            parts.insert(place, draw.choice(_PIECES))
        elif kind < 0.6 and len(parts) > 2:
            del parts[place:place + draw.choice([1, 1, 2, 8])]
        elif kind < 0.8:
            parts.insert(place, draw.choice(parts))
        elif kind < 0.9:
            parts[place] = parts[place] * draw.choice([2, 50, 2000])
        else:
            other = draw.randrange(len(parts))
            parts[place], parts[other] = parts[other], parts[place]
        if not parts:
            break
    return b''.join(parts)


# ------------------------------------------------------------------------------------------- archives and other files


def _change_zip(content: bytes, draw: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        records = [(one.filename, archive.read(one)) for one in archive.infolist()]
    pickles = [place for place, (name, _) in enumerate(records) if name.endswith('.pkl')]
    kind = draw.random()
    if pickles and kind < 0.75:
        place = draw.choice(pickles)
        name, inner = records[place]
        records[place] = name, change_pickle(inner, draw)
    else:
        place = draw.randrange(len(records))
        name, inner = records[place]
        if kind < 0.82:
            records[place] = name, draw.choice([b'', inner[:-1], inner * 2, inner + b'\0', b'big', b'\xff'])
        elif kind < 0.88:
            del records[place]
        elif kind < 0.94:
            records[place] = draw.choice([f'../{name}', name.upper(), f'x/{name}', '/data.pkl', 'data/0', '']), inner
        else:
            records.append(draw.choice(records))
    packing = zipfile.ZIP_STORED if draw.random() < 0.95 else zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', packing) as archive:
        for name, inner in records:
            archive.writestr(zipfile.ZipInfo(name), inner, packing)
    return buffer.getvalue()


def _change_safetensors(content: bytes, draw: random.Random) -> bytes:
    length = int.from_bytes(content[:8], 'little')
    header = _dump(change_value(json.loads(content[8:8 + length]), draw), draw)
    header += b' ' * (-len(header) % 8)
    length = len(header) if draw.random() < 0.95 else draw.choice([0, 1, 2**31, 2**63, len(header) + 1])
    return length.to_bytes(8, 'little') + header + content[8 + int.from_bytes(content[:8], 'little'):]


def _change_table(content: bytes, draw: random.Random) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode())))
    place = draw.randrange(len(rows))
    kind, row = draw.random(), rows[place]
    if kind < 0.6 and row:
        row[draw.randrange(len(row))] = str(draw.choice(_VALUES)(draw))
    elif kind < 0.75 and row:
        del row[draw.randrange(len(row))]
    elif kind < 0.9:
        row.insert(draw.randint(0, len(row)), draw.choice(['', 'image', 'a"b', '\r', '\0']))
    else:
        rows.insert(place, list(draw.choice(rows)))
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode('utf-8', 'surrogatepass')


mutate_json = _alternating(_change_json)
mutate_lines = _alternating(_change_lines)
mutate_pickle = _alternating(change_pickle)
mutate_zip = _alternating(_change_zip)
mutate_safetensors = _alternating(_change_safetensors)
mutate_table = _alternating(_change_table)
