"""Kernels for a GPU, in Triton: where torch's compiler reads pixels many times slower than memory allows."""
