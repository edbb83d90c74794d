"""Policies are compared with torchvision operator by operator, and containers with their definition."""

from tests.conformance.references.register import not_compared

POLICIES = ("RandAugment", "TrivialAugmentWide", "AutoAugment", "AugMix", "ThreeAugment", "LearnedPolicy")
CONTAINERS = ("OneOf", "SomeOf", "RandomOrder", "RandomApply")

for name in (*POLICIES, *CONTAINERS):
    not_compared(name, "compared in test_policies.py")
