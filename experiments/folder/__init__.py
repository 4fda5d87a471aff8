"""A study's folder: begun, told where it comes from, mended and cleared."""
