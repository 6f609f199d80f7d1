"""Values on a command line."""

import argparse

import pytest

from mmris.utils.arguments import at_least, file_or_none, key_value, probability


def read(kind, given: str):
    parser = argparse.ArgumentParser()
    parser.add_argument('--value', type=kind)
    return parser.parse_args(['--value', given]).value


def test_what_is_taken():
    assert [read(at_least(1), given) for given in ('1', '12')] == [1, 12] and read(at_least(0), '0') == 0
    assert isinstance(read(at_least(0), '3'), int)
    assert read(file_or_none, 'none') is None and read(file_or_none, 'none.pth') == 'none.pth'
    assert [read(probability, given) for given in ('0', '0.35', '1e-3')] == [0, 0.35, 0.001]


@pytest.mark.parametrize('kind, given, message', [
    (at_least(1), '0', 'an integer of at least 1 is needed, but got 0'),
    (at_least(0), '-1', 'an integer of at least 0 is needed, but got -1'),
    (at_least(1), '2.0', 'an integer of at least 1 is needed, but got 2.0'),
    (at_least(1), 'many', 'an integer of at least 1 is needed, but got many'),
    (key_value, 'lr', 'KEY=VALUE is needed, but got lr'),
    (key_value, '=1', 'KEY=VALUE is needed, but got =1'),
    (probability, '1', 'a probability in [0, 1) is needed, but got 1'),
    (probability, '-0.1', 'a probability in [0, 1) is needed, but got -0.1'),
    (probability, 'nan', 'a probability in [0, 1) is needed, but got nan'),
    (probability, 'half', 'a probability in [0, 1) is needed, but got half'),
])
def test_what_is_refused(kind, given, message, capsys):
    with pytest.raises(SystemExit):
        read(kind, given)
    assert f'argument --value: {message}\n' in capsys.readouterr().err
