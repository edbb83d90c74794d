"""How a batch is executed: opened and checked, warped in runs, cut into chunks, compiled, replayed."""
