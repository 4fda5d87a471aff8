"""What may be said of models from their errors: intervals, ties, the best of many."""
