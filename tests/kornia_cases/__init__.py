"""What `tests.kornia_operators` measures."""

from tests.kornia_cases import geometric, others, photometric  # noqa: F401  (they register)
from tests.kornia_cases.register import CASES, Case

__all__ = ["CASES", "Case"]
