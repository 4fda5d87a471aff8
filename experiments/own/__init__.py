"""A researcher's own code: named in a sweep or given as objects, and kept with the study."""
