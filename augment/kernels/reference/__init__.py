"""What every operator means, in torch: what runs where no kernel serves, and what kernels are tested against."""
