"""What a sweep asks for: read, checked against models and data, every mistake told at once."""
