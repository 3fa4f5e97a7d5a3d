"""Speed measurements for developers of this package; users measure their own machine with `metarl speed`.

    python -m metarl.benchmarks.dev_speed robots    # a robot's environment and training, or with --device cuda by size
    python -m metarl.benchmarks.dev_speed games     # the games, on all cores
    python -m metarl.benchmarks.dev_speed maml      # a meta-iteration of MAML and its meta-gradient

Every option is explained by --help. A command measures several *sides* in one run: this package, the bare physics
engine below it, and other libraries (install them with `pip install '.[bench]'`; those that are missing are left
out and listed). Sides take turns (metarl/runtime/timing.py), and only the ratios between them are compared, because
the speed of a shared machine changes. Start reading at side.py, then robots.py, games.py and maml.py.
"""
