"""What is random: noise keyed by (seed, epoch, sample), and the distributions that turn it into parameters."""
