"""What the cross layers of the best DCNs cross, and how much of it training put there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.records import CrossingRecord, StudyRecord
from reports import numbers
from reports.blocks import Block, Column, Note, Picture, Row, Section, Table, Text
from reports.drawing.arm_colours import arm_colours
from reports.drawing.canvas import picture
from reports.drawing.crossing import Panel, crossing_map, norm_text
from reports.judging.decision import arm_of, label
from reports.judging.statistics import Array

N_PICTURES = 3
DEEPEST = 4
"""Where the shade ends: so many times the random start, or so many times less."""
LITTLE = 0.5
"""A kernel that training moved by less than this share of its random start is mostly the start."""


@dataclass(frozen=True, slots=True)
class _Crossed:
    """One finalist; arrays are (layer, row, column), of blocks."""

    name: str
    record: CrossingRecord
    norm: Array
    """Mean over seeds."""
    spread: Array
    """Standard deviation over seeds."""
    start: Array
    gain: Array
    """The size of a block's weights, over that of the layer's weights at the random start."""
    moved: float
    """The length of all that training changed, over the length of the start."""


def crossing(study: StudyRecord) -> Section | None:
    """None where no DCN was judged, or by a version that did not look at its kernels."""
    results = study.verdict_results
    if results is None or not study.crossings:
        return None
    order = [found.name for found in results.finalists if found.name in study.crossings]
    crossed = [_crossed(name, study.crossings[name]) for name in order]
    if not crossed:
        return None
    shown = crossed[:N_PICTURES]
    blocks: list[Block] = [Text(_moved_sentence(study, crossed))]
    for one in shown:
        blocks += [Text(_strongest(study, one)), _picture(study, one)]
    blocks.append(_table(study, shown))
    left_out = len(crossed) - len(shown)
    are = "finalist is" if left_out == 1 else "finalists are"
    blocks.append(
        Note(
            "A cross layer gives x0 * (W x + b) + x (Wang et al. 2020, DCN V2): row i and column j "
            "of the map is the Frobenius norm of the block of W that multiplies feature i of the "
            "input x0 with feature j of what comes in, x, which is the input itself in the first "
            "layer and a mixture of crosses in later ones. A wide feature has more weights and so "
            "a larger norm; and a norm tells how much a cross can weigh, not how large the "
            "features are that go in."
            + (f" {left_out} more {are} in crossing.json." if left_out else "")
        )
    )
    return Section("What the cross layers cross", tuple(blocks))


def _crossed(name: str, record: CrossingRecord) -> _Crossed:
    trained, start, moved = (
        np.asarray(norms, np.float64) for norms in (record.trained, record.start, record.moved)
    )
    n_weights = np.outer(record.widths, record.widths)
    of_block = np.sqrt((trained**2).mean(axis=0) / n_weights)
    of_start = np.sqrt((start**2).sum(axis=(2, 3)).mean(axis=0) / n_weights.sum())
    return _Crossed(
        name=name,
        record=record,
        norm=trained.mean(axis=0),
        spread=trained.std(axis=0, ddof=1),
        start=start.mean(axis=0),
        gain=of_block / of_start[:, None, None],
        moved=float(np.sqrt((moved**2).sum() / (start**2).sum())),
    )


def _moved_sentence(study: StudyRecord, crossed: list[_Crossed]) -> str:
    shares = [one.moved for one in crossed]
    low, high = min(shares), max(shares)
    span = (
        f"{100 * low:.0f} %"
        if round(100 * low) == round(100 * high)
        else (f"{100 * low:.0f} to {100 * high:.0f} %")
    )
    seeds = len(crossed[0].record.trained)
    each, their = (" each", "their") if len(crossed) > 1 else ("", "its")
    head = (
        f"{numbers.plural(len(crossed), 'DCN')} of the verdict, {seeds} seeds{each}. Training "
        f"changed {their} cross kernels by {span} of the length of the random weights it began with"
    )
    if high < LITTLE:
        return (
            f"{head}: they are mostly still that start, and the maps show how wide the features "
            "are rather than anything learned."
        )
    if low < LITTLE:
        few = ", ".join(label(study, one.name) for one in crossed if one.moved < LITTLE)
        return f"{head}; in the maps of {few} there is little but that start."
    return f"{head}: the maps show more than that start."


def _strongest(study: StudyRecord, one: _Crossed) -> str:
    """The block with the largest norm, and the one whose weights grew the most."""
    largest, grown = (
        _place(one, np.unravel_index(int(np.argmax(of)), of.shape)) for of in (one.norm, one.gain)
    )
    return (
        f"{label(study, one.name)}: largest block {largest}"
        + ("" if largest == grown else f"; largest for its size {grown}")
        + f". Training moved its kernels by {100 * one.moved:.0f} % of their start."
    )


def _place(one: _Crossed, at: tuple[np.intp, ...]) -> str:
    layer, row, column = (int(i) for i in at)
    features = one.record.features
    return (
        f"{features[row]} × {features[column]} in layer {layer + 1} "
        f"({one.norm[at]:.2f} ± {one.spread[at]:.2f}, at the start {one.start[at]:.2f})"
    )


def _picture(study: StudyRecord, one: _Crossed) -> Picture:
    colour = arm_colours(study)[arm_of(study, one.name)]
    with np.errstate(divide="ignore"):
        shades = np.clip(0.5 + np.log2(one.gain) / (2 * np.log2(DEEPEST)), 0, 1)
    panels = [
        Panel(tuple(map(tuple, norms.tolist())), tuple(map(tuple, layer.tolist())))
        for norms, layer in zip(one.norm, shades, strict=True)
    ]
    features = one.record.features
    first = one.norm[0]
    return picture(
        f"crossing-{one.name}",
        f"{label(study, one.name)}: norm of each block of the cross kernels, mean over "
        f"{len(one.record.trained)} seeds; rows: the input's feature, columns: what it is "
        "multiplied with. Shade: the size of the block's weights; half deep: as at the random "
        f"start, deepest: {DEEPEST} times that or more, palest: 1/{DEEPEST} of it or less.",
        "Norms in cross layer 1: "
        + "; ".join(
            f"{feature} with "
            + ", ".join(f"{other} {norm_text(first[i, j])}" for j, other in enumerate(features))
            for i, feature in enumerate(features)
        )
        + ". All layers are in the table below.",
        lambda width: crossing_map(features, panels, colour, width=width),
    )


def _table(study: StudyRecord, shown: list[_Crossed]) -> Table:
    rows = []
    for one in shown:
        for layer, row, column in np.ndindex(one.norm.shape):
            at = (layer, row, column)
            rows.append(
                Row(
                    (
                        label(study, one.name),
                        str(layer + 1),
                        one.record.features[row],
                        one.record.features[column],
                        f"{one.norm[at]:.3f}",
                        f"{one.spread[at]:.3f}",
                        f"{one.start[at]:.3f}",
                        f"{one.gain[at]:.2f}",
                    )
                )
            )
    return Table(
        caption="Every block of the cross kernels",
        columns=(
            Column("model", "Finalist of the verdict."),
            Column("layer", "Cross layer, from 1.", is_number=True),
            Column("input", "Feature of the network's input: the row of the map."),
            Column("times", "Feature of what comes into the layer: the column of the map."),
            Column("norm", "Frobenius norm of the block, mean over seeds.", is_number=True),
            Column("± over seeds", "Standard deviation of the norm over seeds.", is_number=True),
            Column("at the start", "The same of the random weights, mean over seeds.", True),
            Column(
                "for its size",
                "Root mean square of the block's weights, over that of all the layer's weights at "
                "the random start: 1 is as large as at the start.",
                is_number=True,
            ),
        ),
        rows=tuple(rows),
        is_collapsed=True,
        is_sortable=True,
    )
