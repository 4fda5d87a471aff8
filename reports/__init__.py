"""What was learned: reports read from study folders, without Ray, Optuna or TensorFlow."""
