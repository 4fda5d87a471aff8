"""Many trials: sweeps, their workers and their record."""
