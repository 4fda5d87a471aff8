"""A search space in the words of other libraries."""
