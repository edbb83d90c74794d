"""The operators: defined in torch (`reference`), some of them with kernels in C++ (`cpu`) or Triton (`cuda`)."""
