"""Graphs: who gets which, and what is kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from recommender import graph
from recommender.architectures.blocks import Structure
from recommender.config import RATES, RankingConfig, TrainingConfig
from recommender.device import DeviceData
from recommender.epochs import derive_seed
from recommender.graph import borrow_graph, most_kept_bytes
from recommender.training import TrainingRun
from tests.synthetic import synthetic_encoded

SMALL = RankingConfig(embedding_size=2, n_layers=1, layer_sizes=(4,))


class Borrower:
    """Someone who holds a graph."""


@pytest.fixture
def data() -> DeviceData:
    return DeviceData(synthetic_encoded())


def test_numbers_do_not_ask_for_another_graph() -> None:
    other = dataclasses.replace(SMALL, learning_rate=0.5, dropout=0.1, dense_l2=0.1)
    assert Structure.of(other) == Structure.of(SMALL)


@pytest.mark.parametrize("changed", [{"dropout": 0.0}, {"dense_l2": 0.0}, {"batch_size": 7}])
def test_noise_or_a_penalty_of_zero_and_another_batch_size_ask_for_one(
    changed: dict[str, float],
) -> None:
    assert Structure.of(dataclasses.replace(SMALL, **changed)) != Structure.of(SMALL)


def test_what_the_architecture_ignores_does_not_ask_for_another_graph() -> None:
    assert Structure.of(dataclasses.replace(SMALL, cross_layers=3)) == Structure.of(SMALL)
    dcn = dataclasses.replace(SMALL, architecture="dcn")
    assert Structure.of(dataclasses.replace(dcn, cross_layers=3)) != Structure.of(dcn)


def test_a_graph_is_lent_again_once_its_borrower_is_gone(data: DeviceData) -> None:
    structure, first = Structure.of(SMALL), Borrower()
    lent = borrow_graph(structure, data, first)
    del first
    assert borrow_graph(structure, data, Borrower()) is lent


def test_a_graph_in_use_is_not_lent_to_another(data: DeviceData) -> None:
    first, second = (TrainingRun(SMALL, TrainingConfig(seed=s), data) for s in (1, 2))
    first.step()
    before = first.predict_validation()
    second.step()
    assert (first.predict_validation() == before).all()


def test_only_the_graphs_used_last_are_kept(
    data: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "MAX_GRAPHS", 2)
    structures = [Structure.of(dataclasses.replace(SMALL, embedding_size=n)) for n in (1, 2, 3)]
    for structure in (structures[0], structures[1], structures[0], structures[2]):
        borrow_graph(structure, data, Borrower())
    assert list(data.graphs) == [structures[0], structures[2]]


def test_a_quarter_of_the_graphs_makes_way_at_once(
    data: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "MAX_GRAPHS", 4)
    structures = [
        Structure.of(dataclasses.replace(SMALL, embedding_size=n)) for n in (1, 2, 3, 4, 5)
    ]
    for structure in structures:
        borrow_graph(structure, data, Borrower())
    assert list(data.graphs) == structures[2:]


def test_graphs_of_large_tables_make_way_sooner(
    data: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    structures = [Structure.of(dataclasses.replace(SMALL, embedding_size=n)) for n in (1, 2, 3)]
    sizes = [borrow_graph(s, DeviceData(data.dataset), Borrower()).n_bytes for s in structures]
    monkeypatch.setattr(graph, "MAX_VARIABLE_BYTES", sizes[1] + sizes[2])
    for structure in structures:
        borrow_graph(structure, data, Borrower())
    assert list(data.graphs) == structures[1:]
    monkeypatch.setattr(graph, "MAX_VARIABLE_BYTES", 1)
    borrow_graph(structures[1], data, Borrower())
    assert list(data.graphs) == [structures[1]]


def test_kept_graphs_hold_at_most_their_number_or_their_bytes(
    data: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert most_kept_bytes(data) == 0
    structures = [Structure.of(dataclasses.replace(SMALL, embedding_size=n)) for n in (1, 3)]
    size = max(borrow_graph(s, data, Borrower()).n_bytes for s in structures)
    monkeypatch.setattr(graph, "MAX_GRAPHS", 4)
    assert most_kept_bytes(data) == 3 * size
    monkeypatch.setattr(graph, "MAX_VARIABLE_BYTES", 2 * size + 1)
    assert most_kept_bytes(data) == size + 1
    monkeypatch.setattr(graph, "MAX_VARIABLE_BYTES", 1)  # the last is kept in any case
    assert most_kept_bytes(data) == 0


def test_seeds_differ_by_trial_and_purpose_and_fit_31_bits() -> None:
    seeds = {derive_seed(s, p) for s in (-1, 0, 1, 2**70) for p in ("weights", "order")}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_lazy_adam_leaves_what_only_fills_up_the_last_batch() -> None:
    data = DeviceData(synthetic_encoded(60, 30, 400))
    quiet = dict.fromkeys(RATES, 0.0)  # how much noise there is depends on the number of steps
    config = dataclasses.replace(SMALL, optimizer="lazy_adam", batch_size=64, **quiet)
    order = np.arange(len(data.dataset.train))
    n_last = len(order) % 64
    lent = borrow_graph(Structure.of(config), data, borrower := Borrower())
    tables = []
    for rows in (order[:-n_last], order):
        lent.reset(config, 5)
        lent.train(rows, 5, 0, 0)
        tables.append([table.numpy() for table in lent.model.tables])
    last = data.dataset.train.user[-n_last:], data.dataset.train.item[-n_last:]
    for before, after, ids in zip(*tables, last * 2, strict=True):
        moved = np.flatnonzero((before != after).any(axis=1))
        assert set(moved) == set(ids)
    del borrower
