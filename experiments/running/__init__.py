"""The driver and its workers: trials handed out, trained and written down, to the end or a stop."""
