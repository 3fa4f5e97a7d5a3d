"""How methods look, the same in every figure: agents in colours, controls in greys, what shares weights dashed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

COLOURS = ("#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#b8860b", "#2e7d32", "#c0392b")
GREYS = ("#6b6b6b", "#a0a0a0", "#8c7b75", "#7b8794")
BEST, FLOOR = "#111111", "#c4c4c4"


class Look(NamedTuple):
    """Of one method's line."""

    colour: str
    line: str
    width: float


def looks(document: Mapping[str, Any]) -> dict[str, Look]:
    """A look for every method of a report."""
    methods: Mapping[str, Mapping[str, Any]] = document["methods"]
    best = {d["reference_entrant"] for d in document["distributions"]}
    found: dict[str, Look] = {}
    colours, greys = iter(COLOURS * len(methods)), iter(GREYS * len(methods))
    for name in _owners_first(methods):
        own = methods[name]
        if name == "random":
            found[name] = Look(FLOOR, "-", 1.2)
        elif name in best:
            everywhere = all(name in d["methods"] for d in document["distributions"])
            found[name] = Look(
                BEST, "-" if everywhere else ":", 1.2
            )  # one told the task, and one that knows it exactly
        elif own["of"] in found:
            found[name] = Look(found[own["of"]].colour, "--", 1.6)
        elif own["control"]:
            found[name] = Look(next(greys), "-", 1.6)
        else:
            found[name] = Look(next(colours), "-", 2.2)
    return found


def _owners_first(methods: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    return sorted(methods, key=lambda name: methods[name]["of"] is not None)
