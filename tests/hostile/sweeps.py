"""Sweep files with mistakes, each with what the refusal must say."""

from __future__ import annotations

from dataclasses import dataclass

COLUMNS = 'columns = { user = "u", item = "i", rating = "r", time = "t" }'
SOUND = """\
name = "mine"
seed = 42

[dataset]
name = "movielens-small"

[space]
use = "ranking"

[search]
trials = 4
"""


@dataclass(frozen=True)
class Case:
    name: str
    content: bytes
    message: str
    """Line, key and how the first refusal begins."""


def changed(old: str, new: str) -> bytes:
    assert old in SOUND
    return SOUND.replace(old, new, 1).encode()


def with_space(text: str) -> bytes:
    return (SOUND + "\n" + text).encode()


CASES = [
    Case("empty", b"", ' dataset: is missing; write [dataset] and name = "movielens-small" below'),
    Case("binary", bytes(range(256)), " is not UTF-8 text (byte 128)"),
    Case("utf-16", SOUND.encode("utf-16"), " is not UTF-8 text (byte 0)"),
    Case(
        "latin-1",
        changed('"mine"', '"mine"\nnote = "caf\xe9"').decode().encode("latin-1"),
        " is not UTF-8 text (byte 25)",
    ),
    Case("nul", SOUND.encode() + b"\x00", "12: Invalid statement, column 1"),
    Case(
        "yaml",
        b"name: mine\nsearch:\n  trials: 4\n",
        "1: Expected '=' after a key in a key/value pair, column 5",
    ),
    Case("json", b'{"name": "mine"}', "1: Invalid statement, column 1"),
    Case("unclosed-string", changed('"mine"', '"mine'), "1: Illegal character '\\n', column 13"),
    Case(
        "unclosed-table",
        changed("[space]", "[space"),
        "7: Expected ']' at the end of a table declaration, column 7",
    ),
    Case(
        "key-twice",
        changed("seed = 42", "seed = 42\nseed = 43"),
        "3: Cannot overwrite a value, column 10",
    ),
    Case(
        "table-twice",
        with_space("[search]\ntrials = 5\n"),
        "13: Cannot declare ('search',) twice, column 8",
    ),
    Case(
        "deeply-nested",
        b"a = " + b"[" * 5000 + b"]" * 5000,
        " cannot be read: its brackets are nested too deeply",
    ),
    Case(
        "huge-integer",
        changed("trials = 4", "trials = " + "9" * 5000),
        " cannot be read: a number in it is too long",
    ),
    Case(
        "unknown-key",
        changed("seed = 42", "sed = 42"),
        "2 sed: unknown key 'sed'; did you mean 'seed'? Known: architectures, compare, dataset,",
    ),
    Case(
        "unknown-table",
        with_space("[serach]\n"),
        "13 serach: unknown key 'serach'; did you mean 'search'? Known: architectures, compare,",
    ),
    Case(
        "unknown-dataset",
        changed("movielens-small", "movielens-smal"),
        "5 dataset.name: unknown data set 'movielens-smal'; did you mean 'movielens-small'? Known:",
    ),
    Case(
        "unknown-space",
        changed("ranking", "rankng"),
        "8 space.use: unknown space 'rankng'; did you mean 'ranking'? Known: ranking, smoke",
    ),
    Case(
        "unknown-sampler",
        changed("trials = 4", 'trials = 4\nsampler = "tpee"'),
        "12 search.sampler: unknown sampler 'tpee'; did you mean 'tpe'? Known: grid, random, tpe",
    ),
    Case(
        "unknown-pruner",
        changed("trials = 4", 'trials = 4\npruner = "medain"'),
        "12 search.pruner: unknown pruner 'medain'; did you mean 'median'? Known: hyperband,",
    ),
    Case(
        "unknown-split",
        with_space('[split]\nmethod = "tim-range"\n'),
        "14 split.method: unknown method 'tim-range'; did you mean 'time-range'? Known: column,",
    ),
    Case(
        "no-trials",
        changed("trials = 4", "trials = 0"),
        "11 search.trials: must be at least 1, got 0",
    ),
    Case(
        "negative-trials",
        changed("trials = 4", "trials = -3"),
        "11 search.trials: must be at least 1, got -3",
    ),
    Case(
        "trials-as-text",
        changed("trials = 4", 'trials = "4"'),
        "11 search.trials: must be a whole number, got '4'",
    ),
    Case(
        "trials-as-float",
        changed("trials = 4", "trials = 4.0"),
        "11 search.trials: must be a whole number, got 4.0",
    ),
    Case(
        "trials-as-bool",
        changed("trials = 4", "trials = true"),
        "11 search.trials: must be a whole number, got true",
    ),
    Case(
        "trials-nan",
        changed("trials = 4", "trials = nan"),
        "11 search.trials: must be a whole number, got nan",
    ),
    Case(
        "trials-inf",
        changed("trials = 4", "trials = inf"),
        "11 search.trials: must be a whole number, got inf",
    ),
    Case("seed-negative", changed("seed = 42", "seed = -1"), "2 seed: must be at least 0, got -1"),
    Case(
        "seed-too-large",
        changed("seed = 42", "seed = 99999999999999999999"),
        "2 seed: must be below 4,294,967,296, got 99999999999999999999",
    ),
    Case(
        "name-climbs",
        changed('"mine"', '"../../mine"'),
        "1 name: must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, got '../../mine'",
    ),
    Case(
        "name-absolute",
        changed('"mine"', '"/tmp/mine"'),
        "1 name: must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, got '/tmp/mine'",
    ),
    Case(
        "name-empty",
        changed('"mine"', '""'),
        "1 name: must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, got ''",
    ),
    Case(
        "name-dots",
        changed('"mine"', '".."'),
        "1 name: must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, got '..'",
    ),
    Case(
        "name-long",
        changed('"mine"', '"' + "x" * 300 + '"'),
        "1 name: must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, got",
    ),
    Case(
        "name-emoji",
        changed('"mine"', '"🎬"'),
        "1 name: must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, got '🎬'",
    ),
    Case(
        "name-option",
        changed('"mine"', '"-rf"'),
        "1 name: must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, got '-rf'",
    ),
    Case(
        "name-nul",
        changed('"mine"', '"a\\u0000b"'),
        "1 name: must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, got 'a\\x00b'",
    ),
    Case(
        "name-newline",
        changed('"mine"', '"a\\nb"'),
        "1 name: must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, got 'a\\nb'",
    ),
    Case(
        "name-markup",
        changed('"mine"', '"<script>"'),
        "1 name: must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, got '<script>'",
    ),
    Case("name-number", changed('"mine"', "7"), "1 name: must be text, got 7"),
    Case(
        "low-above-high",
        with_space("[space.learning_rate]\nlow = 1.0\nhigh = 0.1\n"),
        "14 space.learning_rate.low: must not exceed high, got 1.0 and 0.1",
    ),
    Case(
        "log-of-zero",
        with_space("[space.learning_rate]\nlow = 0.0\nhigh = 0.1\nlog = true\n"),
        "14 space.learning_rate.low: must be above 0 with log = true, got 0.0",
    ),
    Case(
        "nan-bound",
        with_space("[space.learning_rate]\nlow = nan\nhigh = 0.1\n"),
        "14 space.learning_rate.low: must be a finite number, got nan",
    ),
    Case(
        "inf-bound",
        with_space("[space.learning_rate]\nlow = 0.1\nhigh = inf\n"),
        "15 space.learning_rate.high: must be a finite number, got inf",
    ),
    Case(
        "rate-negative",
        with_space("[space.learning_rate]\nlow = -1.0\nhigh = 0.1\n"),
        "14 space.learning_rate.low: learning_rate must be above 0, got -1.0",
    ),
    Case(
        "no-choices",
        with_space("[space.optimizer]\nchoices = []\n"),
        "14 space.optimizer.choices: must not be empty",
    ),
    Case(
        "choice-twice",
        with_space('[space.optimizer]\nchoices = ["adam", "adam"]\n'),
        "14 space.optimizer.choices: each choice once, please: 'adam'",
    ),
    Case(
        "unknown-choice",
        with_space('[space.optimizer]\nchoices = ["adamm"]\n'),
        "7 space.learning_rate: no case of the shipped space fits what optimizer can be here; give",
    ),
    Case(
        "unknown-dimension",
        with_space("[space.lerning_rate]\nlow = 0.1\nhigh = 0.2\n"),
        "13 space.lerning_rate: unknown dimension 'lerning_rate'; did you mean 'learning_rate'?",
    ),
    Case(
        "in-space-and-model",
        with_space("[model]\nlearning_rate = 0.01\n"),
        "7 space.learning_rate: the shipped space varies 'learning_rate' and [model] fixes",
    ),
    Case(
        "unknown-condition",
        with_space('[space.x]\nlow = 1\nhigh = 2\nwhen = { y = "z" }\n'),
        "13 space.x: unknown dimension 'x'; known: activation, architecture, batch_size, biases,",
    ),
    Case(
        "space-is-no-table",
        changed('[space]\nuse = "ranking"\n', "").replace(b"seed = 42", b"seed = 42\nspace = 3"),
        '3 space: must be a table, got 3; write [space] and use = "ranking" below',
    ),
    Case(
        "search-is-no-table",
        changed("[search]\ntrials = 4\n", "").replace(b"seed = 42", b"seed = 42\nsearch = [1]"),
        "3 search: must be a table, got [1]; write [search] and its keys below",
    ),
    Case(
        "no-search",
        changed("[search]\ntrials = 4\n", ""),
        " search: is missing; write [search] and trials = 60 below",
    ),
    Case(
        "no-space",
        changed('[space]\nuse = "ranking"\n', ""),
        '8 search: there is no [space] to search; write [space] and use = "ranking" below, or for',
    ),
    Case(
        "compare-unknown",
        with_space('[compare]\ndimension = "architectur"\n'),
        "14 compare.dimension: must be a choice that every trial makes: unknown one 'architectur';",
    ),
    Case(
        "compare-uneven",
        changed("trials = 4", "trials = 5").replace(
            b"[search]", b'[compare]\ndimension = "architecture"\n[search]'
        ),
        "13 search.trials: 2 arms get the same number of trials each, got 5; ask for 4 or 6",
    ),
    Case(
        "path-missing",
        changed(
            'name = "movielens-small"',
            f'path = "nowhere.csv"\n{COLUMNS}',
        ),
        "5 dataset.path: nowhere.csv is not there",
    ),
    Case(
        "path-is-a-folder",
        changed(
            'name = "movielens-small"',
            f'path = "/"\n{COLUMNS}',
        ),
        "5 dataset.path: / is a folder; name a file",
    ),
    Case(
        "path-nul",
        changed(
            'name = "movielens-small"',
            f'path = "a\\u0000b.csv"\n{COLUMNS}',
        ),
        "5 dataset.path: a",
    ),
    Case(
        "path-long",
        changed(
            'name = "movielens-small"',
            f'path = "{"x" * 300}.csv"\n{COLUMNS}',
        ),
        "5 dataset.path: xxx",
    ),
    Case(
        "range-backwards",
        changed('name = "movielens-small"', 'name = "movielens-small"\nrating_range = [5, 1]'),
        "6 dataset.rating_range: must be two numbers going up, got 5 and 1",
    ),
    Case(
        "split-over-one",
        with_space("[split]\ntrain = 0.9\nvalidation = 0.2\n"),
        "15 split.validation: train 0.9 and validation 0.2 leave nothing for the sealed test;",
    ),
    Case(
        "split-nan",
        with_space("[split]\ntrain = nan\n"),
        "14 split.train: must be a finite number, got nan",
    ),
    Case(
        "stall-zero",
        changed("trials = 4", 'trials = 4\nstall_timeout = "0s"'),
        "12 search.stall_timeout: a time must be above 0 and written like '2h', '90m', '11h30m' or",
    ),
    Case(
        "timeout-word",
        changed("trials = 4", 'trials = 4\ntrial_timeout = "soon"'),
        "12 search.trial_timeout: a time must be above 0 and written like '2h', '90m', '11h30m' or",
    ),
]
