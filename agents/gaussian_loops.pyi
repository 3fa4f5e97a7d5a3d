# Compiled from gaussian_loops.c where there is a C compiler that knows OpenMP; addresses as integers.

MOST: int  # numbers in a row

def squares(sizes: tuple[int, int, int], given: tuple[int, int, int], threads: int, out: int, /) -> None: ...
def pull(
    sizes: tuple[int, int, int],
    given: tuple[int, int, int],
    threads: int,
    u: int,
    to_mean: int,
    to_std: int,
    /,
) -> None: ...
def bend(
    sizes: tuple[int, int, int],
    given: tuple[int, int, int],
    threads: int,
    u: int,
    v_mean: int,
    v_std: int,
    to_u: int,
    to_mean: int,
    to_std: int,
    /,
) -> None: ...
