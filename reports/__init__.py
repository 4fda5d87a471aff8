"""What was learned: reports read from study folders."""
