"""Reference values of each layer: the same operator of an independent library at the same parameters."""

from tests.conformance.references import (  # noqa: F401  (importing registers them)
    filtering,
    geometric,
    interop,
    mixing,
    photometric,
    policies,
)
from tests.conformance.references.register import EXAMPLES, NOT_COMPARED, REFERENCES, TOLERANCE

__all__ = ["EXAMPLES", "NOT_COMPARED", "REFERENCES", "TOLERANCE"]
