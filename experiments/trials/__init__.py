"""One trial or model, in this process: trained, predicted, replayed, written as a file."""
