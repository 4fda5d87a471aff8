import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.records.values import exact_text, layers_text, plural, value_text, values_text


def test_layers_are_joined_in_their_order() -> None:
    assert layers_text({"n_layers": 2, "layer_size_1": 64, "layer_size_0": 256}) == "256-64"


def test_a_model_without_dense_layers_says_none() -> None:
    assert layers_text({"n_layers": 0}) == "none"


def test_a_trial_whose_widths_are_fixed_has_no_layers_to_tell() -> None:
    assert layers_text({"n_layers": 2, "learning_rate": 1e-3}) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.1e-3, "1.1e-3"),
        (1e-3, "1e-3"),
        (0.25, "0.25"),
        (999.4, "999"),
        (1234.5, "1.2e3"),
        (0.0, "0"),
        (64, "64"),
        (True, "true"),
        ("adam", "adam"),
    ],
)
def test_a_value_reads_as_one_would_write_it(value: float | str, text: str) -> None:
    assert value_text(value) == text


def test_an_exact_value_has_all_its_digits() -> None:
    assert [exact_text(v) for v in (0.9998, 1234.5, True, 64)] == ["0.9998", "1234.5", "true", "64"]


@given(st.floats(min_value=1e-8, max_value=1e8))
def test_a_number_in_words_is_within_five_percent_of_it(value: float) -> None:
    assert float(value_text(value)) == pytest.approx(value, rel=0.05)


def test_a_trial_is_told_by_optimizer_rate_layers_and_cross_layers() -> None:
    values = {
        "architecture": "dcn",
        "optimizer": "adam",
        "learning_rate": 0.0011,
        "embedding_size": 16,
        "n_layers": 2,
        "layer_size_0": 64,
        "layer_size_1": 32,
        "cross_layers": 1,
    }
    assert values_text(values, without="architecture") == "adam 1.1e-3, 64-32, 1 cross layer"


def test_a_rate_alone_is_called_by_its_name() -> None:
    assert values_text({"learning_rate": 0.1}) == "learning rate 0.1"


def test_a_space_without_the_usual_names_is_told_by_the_first_three() -> None:
    assert values_text({"a": 1, "b": False, "c": "x", "d": 2}) == "a 1, b false, c x"


def test_one_is_counted_in_the_singular() -> None:
    assert [plural(n, "trial") for n in (0, 1, 1200)] == ["0 trials", "1 trial", "1,200 trials"]
