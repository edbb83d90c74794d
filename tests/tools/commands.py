"""Runs the commands of python -m augment in this process."""

import pytest

from augment.__main__ import main


def run(*arguments):
    main([str(a) for a in arguments])


def failure(capsys, *arguments):
    """Return the error message that the user sees."""
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    text = capsys.readouterr().err.strip().splitlines()[-1]
    assert text.startswith("error: ")
    return text
