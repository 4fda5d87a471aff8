"""Events as driver and workers journal them, short to write in a test."""

from __future__ import annotations

from typing import Any

from experiments.ledger.journal import Event


def ask(number: int = 0, at: float = 0.0, **fields: Any) -> Event:
    event = {
        "kind": "ask",
        "number": number,
        "name": f"{number:04d}",
        "purpose": "search",
        "arm": None,
        "arm_number": number,
        "values": {"learning_rate": 1e-3, "n_layers": 2, "side_features": True},
        "seed": 7,
        "is_default": number == 0,
        "at": at,
    }
    return event | fields


def start(
    number: int = 0, attempt: int = 1, at: float = 1.0, first_epoch: int = 1, **fields: Any
) -> Event:
    event = {
        "kind": "start",
        "number": number,
        "attempt": attempt,
        "worker": f"worker-{attempt}",
        "first_epoch": first_epoch,
        "n_parameters": 100,
        "at": at,
    }
    return event | fields


def epoch(
    number: int = 0,
    epoch: int = 1,
    attempt: int = 1,
    at: float = 2.0,
    val_rmse: float = 1.0,
    **fields: Any,
) -> Event:
    event = {
        "kind": "epoch",
        "number": number,
        "attempt": attempt,
        "epoch": epoch,
        "val_rmse": val_rmse,
        "train_rmse": 0.9,
        "n_updates": 64 * epoch,
        "seconds": 0.5,
        "at": at,
    }
    return event | fields


def end(
    number: int = 0,
    stop_reason: str = "max_epochs",
    attempt: int = 1,
    at: float = 3.0,
    kind: str = "end",
    error: str | None = None,
) -> Event:
    return {
        "kind": kind,
        "number": number,
        "attempt": attempt,
        "stop_reason": stop_reason,
        "error": error,
        "at": at,
    }
