"""Ratings in, encoded arrays out.

`loading` goes through it from the start to the end:

    config, registry                    what is asked for, and what can be wrong with it
    movielens, movielens_releases,      readers: what each hands over is in `sources`
    table, text_files, own_source
    identifiers, cleaning, odd_ratings  one order of rows, and what is odd about them
    splits, own_split                   which rating trains, chooses, is sealed
    features, leaks, encoding, encoded  what models get
    describe, description               what is told of it

`unsealing` and `confirming` are the only ways to ratings that no search sees.
"""
