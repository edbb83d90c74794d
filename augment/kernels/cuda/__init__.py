"""Kernels for a GPU in Triton, for operators whose compiled torch code is many times slower than memory allows."""

from augment.kernels.cuda import filtering, finishing, inductor, policy_step, warping

__all__ = ["filtering", "finishing", "inductor", "policy_step", "warping"]
