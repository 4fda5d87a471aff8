"""Ratings in, encoded arrays out: sources, cleaning, splits, features."""
