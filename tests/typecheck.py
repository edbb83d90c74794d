"""The run-time type checker of the tests: beartype, with an int accepted where a float is expected."""

from collections.abc import Callable

from beartype import BeartypeConf, beartype

_conf = BeartypeConf(is_pep484_tower=True)


def check(function: Callable) -> Callable:
    return beartype(function, conf=_conf)
