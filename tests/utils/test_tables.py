"""Tables as Markdown and on terminals."""

import pytest
from wcwidth import wcswidth

from mmris.utils.tables import markdown_table

NAMES = ('a|b', '|', 'a\\|b', 'one\ntwo', 'one\r\ntwo', 'one\u2028two', 'one\x85two', 'one\ttwo', '\x1b[31mred\x00',
         '红色的圆形', '👍🏽 🇩🇪 👩\u200d🚀', 'e\u0301', 'half \ud83d', 'الدائرة', '', 'plain', 'लाल वृत्त',
         '\u202eturned')


def cells_of(line: str) -> list:
    """As GitHub reads a row: a bar after a backslash is no border."""
    return [cell.strip() for cell in line.replace('\\|', '\0').strip('|').split('|')]


@pytest.mark.parametrize('heading', ['name', '红|\n'])
def test_cells_of_anything(heading):
    table = markdown_table([heading, '分\n|数', 'n'], [[name, name, 1234] for name in NAMES])
    lines = table.splitlines()
    assert table.encode() and lines == table.split('\n') and len(lines) == 2 + len(NAMES)
    assert len({wcswidth(line) for line in lines}) == 1, 'the columns line up'
    assert all(len(cells_of(line)) == 3 and line.startswith('| ') for line in lines if '---' not in line)
    assert cells_of(lines[2]) == ['a\0b', 'a\0b', '1,234'] and cells_of(lines[5])[0] == 'one two'
    assert all(cells_of(line)[-1] == '1,234' for line in lines[2:])


def test_plain_tables_are_as_they_were():
    assert markdown_table(['split', 'refs'], [['train', 42404], ['  of it', 0.5]]).splitlines() == [
        '| split   |   refs |', '|---------|-------:|', '| train   | 42,404 |', '|   of it |   0.50 |']
