"""One ranking model, one training run: data, baselines, architectures, training, export."""
