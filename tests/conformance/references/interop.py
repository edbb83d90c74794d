"""What runs the modules of others does nothing of its own."""

from tests.conformance.references.register import not_compared

not_compared("Opaque", "compared with the modules that it runs in test_opaque.py")
