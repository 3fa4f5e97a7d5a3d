# Compiled from tanh_loops.c where there is a C compiler that knows OpenMP. Sizes I, H, ..., P; addresses as integers; a
# layer is four numbers: weight, its stride from task to task, bias, its stride.

LANES: int  # the units of a hidden layer are a multiple of this
MOST: int  # layers
PASSES_2: int  # another name when the arguments of the passes change

def run(
    sizes: tuple[int, ...],
    rows: int,
    hidden: tuple[int, ...],
    layers: tuple[int, ...],
    tasks: int,
    threads: int,
    out: int,
    /,
) -> None: ...
def pull(
    sizes: tuple[int, ...],
    rows: int,
    hidden: tuple[int, ...],
    layers: tuple[int, ...],
    tasks: int,
    threads: int,
    u: int,
    delta_0: int,
    to: tuple[int, ...],
    /,
) -> None: ...
def push(
    sizes: tuple[int, ...],
    rows: int,
    hidden: tuple[int, ...],
    layers: tuple[int, ...],
    tasks: int,
    threads: int,
    along: tuple[int, ...],
    kept: tuple[int, ...],
    out: int,
    /,
) -> None: ...
def bend(
    sizes: tuple[int, ...],
    rows: int,
    hidden: tuple[int, ...],
    layers: tuple[int, ...],
    tasks: int,
    threads: int,
    u: int,
    delta_0: int,
    along: tuple[int, ...],
    kept: tuple[int, ...],
    last: int,
    to: tuple[int, ...],
    /,
) -> None: ...
