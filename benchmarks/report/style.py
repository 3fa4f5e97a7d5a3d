"""Line styles of methods, the same in every figure: agents in colours, controls in greys, shared weights dashed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

COLOURS = ("#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#b8860b", "#2e7d32", "#c0392b")
GREYS = ("#6b6b6b", "#a0a0a0", "#8c7b75", "#7b8794")
ORACLE_COLOUR, RANDOM_COLOUR = "#111111", "#c4c4c4"


class Look(NamedTuple):
    """The style of a method's line."""

    colour: str
    line: str
    width: float


def looks(document: Mapping[str, Any]) -> dict[str, Look]:
    """Return the style of every method of a report."""
    methods: Mapping[str, Mapping[str, Any]] = document["methods"]
    oracles = {d["oracle"] for d in document["distributions"]}
    styles: dict[str, Look] = {}
    colours, greys = iter(COLOURS * len(methods)), iter(GREYS * len(methods))
    for name in _owners_first(methods):
        method = methods[name]
        if name == "random":
            styles[name] = Look(RANDOM_COLOUR, "-", 1.2)
        elif name in oracles:
            everywhere = all(name in d["methods"] for d in document["distributions"])
            # solid: the trained oracle; dotted: one that is exact, on some distributions only
            styles[name] = Look(ORACLE_COLOUR, "-" if everywhere else ":", 1.2)
        elif method["of"] in styles:
            styles[name] = Look(styles[method["of"]].colour, "--", 1.6)
        elif method["control"]:
            styles[name] = Look(next(greys), "-", 1.6)
        else:
            styles[name] = Look(next(colours), "-", 2.2)
    return styles


def _owners_first(methods: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    return sorted(methods, key=lambda name: methods[name]["of"] is not None)
