"""Several runs: trials in processes of their own, Optuna, and the table at the end."""
