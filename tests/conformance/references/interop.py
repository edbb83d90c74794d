"""Layers that run foreign modules have no reference of their own."""

from tests.conformance.references.register import not_compared

not_compared("Opaque", "compared with the modules that it runs in test_opaque.py")
