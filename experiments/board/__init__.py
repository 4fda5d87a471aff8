"""TensorBoard: written while trials run, served, and held against the ledger."""
