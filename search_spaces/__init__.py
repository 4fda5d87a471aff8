"""What may vary: distributions, conditional dimensions, and spaces read from TOML."""

from search_spaces.cases import Case
from search_spaces.checks import is_name
from search_spaces.dimensions import Column, Dimension, Slot
from search_spaces.distributions import Choice, Distribution, Float, Int
from search_spaces.problems import Problem, SpaceError
from search_spaces.registry import SHIPPED
from search_spaces.space import SearchSpace, space
from search_spaces.toml import parse_space, shipped_space
from search_spaces.values import Value

__all__ = [
    "SHIPPED",
    "Case",
    "Choice",
    "Column",
    "Dimension",
    "Distribution",
    "Float",
    "Int",
    "Problem",
    "SearchSpace",
    "Slot",
    "SpaceError",
    "Value",
    "is_name",
    "parse_space",
    "shipped_space",
    "space",
]
