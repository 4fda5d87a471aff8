"""What happened, written down: journals, the ledger that gathers them, the lock of one driver."""
