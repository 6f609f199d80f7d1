"""Messages about weights that do not fit."""

import pytest
import torch

from mmris.checkpoints.misfits import check_some_fit, find_misfits

# Clears the screen of a terminal, and looks like another line.
KEY = 'a\x1b[2J\nMissing: none\u202e'


def test_keys_of_a_file_cannot_steer_a_terminal():
    expected, value = {KEY: torch.ones(2), 'b': torch.ones(2)}, torch.ones(3)
    messages = [find_misfits(expected, {KEY: value}), find_misfits({}, {KEY: value}),
                find_misfits(expected, {KEY: torch.ones(2, dtype=torch.long)})]
    for given in ({KEY: value}, {f'{KEY}c': value}):
        with pytest.raises(RuntimeError, match='ordinary.pth does not fit the model') as raised:
            check_some_fit(expected, given, 'ordinary.pth')
        messages.append(str(raised.value))
    for message in messages:
        assert 'a [2J Missing: none ' in message and message.isprintable()
