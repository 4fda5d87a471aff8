"""A study handed on: as a bundle that can be verified, to Optuna, to MLflow."""
