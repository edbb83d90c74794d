"""What each layer is compared with: the same operator of an independent library at the same parameters."""

from tests.conformance.references import filtering, geometric, mixing, photometric, policies  # noqa: F401  (they register)
from tests.conformance.references.register import EXAMPLES, NOT_COMPARED, REFERENCES, TOLERANCE

__all__ = ["EXAMPLES", "NOT_COMPARED", "REFERENCES", "TOLERANCE"]
