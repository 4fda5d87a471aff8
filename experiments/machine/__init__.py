"""The machine or cluster that trains: what it has, what trials take of it, and Ray on it."""
