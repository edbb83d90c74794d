"""Mixing is compared in test_mixing.py, together with the labels."""

from tests.conformance.references.register import not_compared

for name in ("RandomMixUp", "RandomCutMix"):
    not_compared(name, "compared in test_mixing.py")
