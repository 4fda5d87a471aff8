"""What is left of dimensions once others can be less than they could."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from search_spaces.checks import check
from search_spaces.drafts import Draft, Drafts
from search_spaces.values import Value


def narrow(drafts: Drafts, gone: Collection[str] = ()) -> Drafts:
    """The drafts without what can never be active, as far as they are inherited.

    An inherited condition loses the values that its parent no longer has; a case that cannot hold
    any more goes, and a dimension without cases with it. The user's own cases stay as they are.

    Args:
        drafts: the cases of all dimensions.
        gone: dimensions that went before; nothing inherited can depend on them.
    """
    before = {*drafts, *gone}
    left = dict(drafts)
    while True:
        shrunk = {
            name: kept
            for name, cases in left.items()
            if (kept := [n for case in cases if (n := _narrowed(case, left, before - left.keys()))])
            or not cases
        }
        if shrunk == left:
            idle = [id(case) for case in check(left).idle if case.is_inherited]
            if not idle:
                return left
            shrunk = {
                name: kept
                for name, cases in left.items()
                if (kept := [case for case in cases if id(case) not in idle]) or not cases
            }
        left = shrunk


def _narrowed(case: Draft, left: Drafts, gone: Collection[str]) -> Draft | None:
    if not case.is_inherited:
        return case
    when: dict[str, tuple[Value, ...]] = {}
    for name, allowed in case.conditions.items():
        if name in gone:
            return None
        when[name] = tuple(value for value in allowed if may_be(value, left.get(name, [])))
        if not when[name]:
            return None
    if case.count in gone:
        return None
    return replace(case, conditions=when)


def may_be(value: Value, cases: Sequence[Draft]) -> bool:
    """Whether a dimension can have the value, as far as its cases are known."""
    if not cases:
        return True
    return any(case.distribution is None or case.distribution.contains(value) for case in cases)
