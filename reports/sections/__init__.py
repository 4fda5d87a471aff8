"""The parts of a report, each a function from a study to a `Section`."""
