"""The data of a sweep, of a study, and of a first look."""
