"""The definition of every operator in torch: it runs where no kernel serves, and kernels are tested against it."""
