"""What one update of an optimizer needs beside the variable, and the constants of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Tensor = Any

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
MOMENTUM = 0.9
RHO = 0.9


@dataclass(frozen=True, slots=True)
class Step:
    """Tensors, all of them: a number becomes another node of the graph at each use."""

    learning_rate: Tensor
    weight_decay: Tensor
    beta_1: Tensor
    beta_2: Tensor
    beta_1_power: Tensor
    """To the power of the step's number, which starts at 1."""
    beta_2_power: Tensor
    epsilon: Tensor
    is_compiled: bool
    """By XLA, which has to know every shape beforehand."""
