# Compiled from tanh_loops.c where there is a C compiler. Sizes I, H, ..., P; addresses as integers; a layer is four
# numbers: weight, its stride from task to task, bias, its stride.

def run(
    sizes: tuple[int, ...],
    rows: int,
    hidden: tuple[int, ...],
    layers: tuple[int, ...],
    first: int,
    last: int,
    out: int,
    /,
) -> None: ...
def pull(
    sizes: tuple[int, ...],
    rows: int,
    hidden: tuple[int, ...],
    layers: tuple[int, ...],
    first: int,
    last: int,
    u: int,
    to: tuple[int, ...],
    /,
) -> None: ...
def bend(
    sizes: tuple[int, ...],
    rows: int,
    hidden: tuple[int, ...],
    layers: tuple[int, ...],
    first: int,
    last: int,
    u: int,
    along: tuple[int, ...],
    out: int,
    to: tuple[int, ...],
    /,
) -> None: ...
