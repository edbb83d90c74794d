"""Kernels for a CPU in C++, for what torch's own operators and compiled code are several times slower at.

They are optional: where nothing could compile them when the package was installed, and on every other device, the
same functions run in torch, which is also what tests hold the kernels to.
"""

from augment.kernels.cpu import draws, filtering, jpeg, levels, overlay, policy_step, sampling, warping

__all__ = ["draws", "filtering", "jpeg", "levels", "overlay", "policy_step", "sampling", "warping"]
