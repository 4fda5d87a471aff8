from __future__ import annotations

import math

import pytest

from reports import numbers


def test_an_rmse_has_four_decimals() -> None:
    assert numbers.rmse(1.02984) == "1.0298"
    assert numbers.rmse(None) == "–"
    assert numbers.rmse(math.nan) == "not finite"


@pytest.mark.parametrize(
    ("value", "text"), [(-0.01021, "−0.0102"), (0.00312, "+0.0031"), (-0.00004, "0.0000")]
)
def test_a_gap_shows_its_sign_unless_it_rounds_to_nothing(value: float, text: str) -> None:
    assert numbers.gap(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00783, "0.0078"), (4.31e-5, "0.000043"), (0.0, "0"), (531.0, "530"), (5312.0, "5,300")],
)
def test_noise_has_two_digits_and_no_power_of_ten(value: float, text: str) -> None:
    assert numbers.two_digits(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01, "<0.1 s"), (4.26, "4.3 s"), (59.7, "1 min 00 s"), (190, "3 min 10 s"),
     (7_500, "2 h 05 min")],
)  # fmt: skip
def test_durations_read_as_a_person_says_them(value: float, text: str) -> None:
    assert numbers.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00113, "0.00113"), (1.1e-6, "1.1e-6"), (1e-05, "1e-5"), (64, "64"), (True, "yes"),
     ("adam", "adam"), (None, "–")],
)  # fmt: skip
def test_values_have_three_significant_digits(value: object, text: str) -> None:
    assert numbers.value(value) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("apart", "text"),
    [
        (0.0102, "0.0102 RMSE ahead of"),
        (0.00003, "within 0.0001 RMSE of"),
        (0.0, "within 0.0001 RMSE of"),
    ],
)
def test_what_rounds_to_nothing_is_not_ahead(apart: float, text: str) -> None:
    assert numbers.ahead(apart) == text


def test_a_trial_is_summed_up_by_optimizer_layers_and_the_rest() -> None:
    values = {"architecture": "dcn", "optimizer": "adam", "learning_rate": 0.0011, "n_layers": 2,
              "layer_size_0": 64, "layer_size_1": 32, "cross_layers": 1}  # fmt: skip
    said = numbers.summary(values, leave_out="architecture")
    assert said == "adam 0.0011, 64-32, cross_layers 1"
    own = numbers.summary({**values, "layer_size_decay": 0.5}, leave_out="architecture")
    assert own == f"{said}, layer_size_decay 0.5"
    assert numbers.summary({"n_layers": 0, "dropout": 0.2}) == "no dense layer, dropout 0.2"


def test_a_trial_without_values_still_has_a_text() -> None:
    assert numbers.summary({}) == "nothing varies"
