"""What a command line about one's own image takes."""


import pytest

from mmris.command_line.arguments import add_image_arguments
from mmris.command_line.parser import CommandParser


@pytest.mark.parametrize('sentences', [[''], ['the red circle', ' ']])
def test_an_empty_sentence_is_refused(sentences, capsys):
    """A quoting mistake, not a question."""
    parser = CommandParser()
    add_image_arguments(parser, 'what to segment')
    given = ['config.py', 'none', 'photo.jpg']
    assert parser.parse_args([*given, 'a']).sentences == ['a'] and parser.parse_args([*given, 'a']).checkpoint is None
    with pytest.raises(SystemExit):
        parser.parse_args([*given, *sentences])
    assert 'a sentence needs words, but one is empty: quote each sentence' in capsys.readouterr().err
