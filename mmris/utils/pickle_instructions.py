"""What a pickle says to do, before anything does it: how much memory and time it may take.

Python's reader trusts a pickle in two things. It makes room for the highest number that an object is given, which is up
to many gigabytes for five bytes. And to use a tuple as a key, it goes through all tuples inside, without a limit of
depth (the process crashes) and again for each time that one of them is there (each of 40 tuples may hold the one before
it twice).
"""

import pickle
import pickletools
import re
from functools import lru_cache
from mmap import mmap
from typing import Any, Dict, List, Union

# Tuples in a tuple, counted as often as they are there. Of fewer instructions for tuples than the second, none can have
# more.
_MOST_TUPLES, _FEW = 1000, 10
_TUPLES = frozenset(b')\x85\x86\x87t')
# Instructions that are followed by a number of bytes: how many bytes this number has.
_COUNTED = {code: size for size, codes in ((1, b'U\x8cC\x8a'), (4, b'TXB\x8b'), (8, b'\x8d\x8e\x96')) for code in codes}
_BYTEARRAY, _FRAME, _PUT, _STOP = 0x96, 0x95, ord('p'), ord('.')
# All others by what follows: nothing, one, two, four or eight bytes, a line, two lines.
_OTHERS = (rb'[(012NQRabde}lo\]s\x81u\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98]|[Kh\x80\x82q].|[M\x83]..|[Jj\x84].{4}|'
           rb'G.{8}|[ILFgSVP][^\n]*\n|[ci][^\n]*\n[^\n]*\n')
_MARK = object()


def check_pickle(content: Union[bytes, mmap], start: int = 0) -> int:
    """Check that to read a pickle takes memory and time in proportion to its size.

    Args:
        content (bytes or mmap): Bytes that it stands in.
        start (int): Where it begins. Default: 0.

    Returns:
        int: Where it ends.

    Raises:
        UnpicklingError: If it has other instructions than data needs, or ends early, or numbers objects far beyond
            their number, or has more than 1,000 tuples inside a tuple.
    """
    skip = _others(max(len(content) - start, 256))
    place, tuples = start, 0
    while True:
        place = skip(content, place).end()
        code = content[place] if place < len(content) else None
        if code == _STOP:
            break
        if code in _COUNTED:
            begin = place + 1 + _COUNTED[code]
            count = int.from_bytes(content[place + 1:begin], 'little')
            if code == _BYTEARRAY and not count:
                # Python's reader makes a MemoryError of it.
                raise pickle.UnpicklingError(f'it has an empty bytearray at byte {place:,}')
            if count > len(content) - begin:
                raise pickle.UnpicklingError(f'it ends early, in what begins at byte {place:,}')
            place = begin + count
        elif code in _TUPLES:
            tuples, place = tuples + 1, place + 1
        elif code == _FRAME:
            # What is in it is read as what stands before and after.
            place += 9
        elif code == _PUT:
            place = _check_put(content, place, len(content) - start)
        else:
            raise pickle.UnpicklingError(_explain(content, place, start))
    if tuples >= _FEW:
        _check_tuples(content[start:place + 1])
    return place + 1


@lru_cache(maxsize=8)
def _others(size: int) -> Any:
    # Numbers of objects are checked to their highest byte: more exactly would be no faster, and the pattern is kept.
    high = (size.bit_length() + 7) // 8 - 1
    top = b'[\\x00-' + b'\\x%02x' % (size >> 8 * high) + b']'
    number = b'.' * min(high, 3) + (top + b'\\x00' * (3 - high) if high < 4 else b'.')
    return re.compile(b'(?:' + _OTHERS + b'|r' + number + b')*+', re.DOTALL).match


def _check_put(content: Union[bytes, mmap], place: int, size: int) -> int:
    end = content.find(b'\n', place)
    number = content[place + 1:max(end, 0)]
    if not number.isdigit() or len(number) > 12 or int(number) > size:
        raise pickle.UnpicklingError(f'it numbers an object {number[:20]!r} among fewer than {size}')
    return end + 1


def _explain(content: Union[bytes, mmap], place: int, start: int) -> str:
    if content[place:place + 1] == b'r' and place + 5 <= len(content):
        number = int.from_bytes(content[place + 1:place + 5], 'little')
        return f'it numbers an object {number} among fewer than {len(content) - start}'
    return f'it ends early, or has an instruction at byte {place:,} that is not read'


def _check_tuples(pickled: bytes) -> None:
    """Follow how tuples get into tuples: for each object on the stack, how many tuples it is and has."""
    stack: List[Any] = []
    memo: Dict[int, int] = {}
    for opcode, argument, place in pickletools.genops(pickled):
        name = opcode.name
        if name in ('PUT', 'BINPUT', 'LONG_BINPUT', 'MEMOIZE'):
            memo[len(memo) if argument is None else argument] = stack[-1] if stack and stack[-1] is not _MARK else 0
        elif name in ('GET', 'BINGET', 'LONG_BINGET'):
            stack.append(memo.get(argument, 0))
        elif name == 'DUP':
            stack.append(stack[-1] if stack else 0)
        elif name == 'MARK':
            stack.append(_MARK)
        else:
            taken = _take(stack, opcode.stack_before)
            if ord(opcode.code) in _TUPLES:
                count = 1 + sum(taken)
                if count > _MOST_TUPLES:
                    raise pickle.UnpicklingError(f'it has more than {_MOST_TUPLES:,} tuples inside a tuple at byte '
                                                 f'{place:,}, where lists are expected')
                stack.append(count)
            else:
                stack.extend(0 for _ in opcode.stack_after)


def _take(stack: List[Any], before: List[Any]) -> List[int]:
    """Take from the stack what an instruction takes; for a slice, what lies above the last mark."""
    taken: List[int] = []
    if pickletools.markobject in before:
        while stack and stack[-1] is not _MARK:
            taken.append(stack.pop())
        # The mark itself.
        stack[-1:] = []
        before = before[:before.index(pickletools.markobject)]
    if before:
        taken += [one for one in stack[-len(before):] if one is not _MARK]
        del stack[-len(before):]
    return taken
