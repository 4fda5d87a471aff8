"""What to try next and what to stop: Optuna's samplers and pruners, one search an arm."""
