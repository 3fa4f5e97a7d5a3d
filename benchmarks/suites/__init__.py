"""Suites: the JSON files of the benchmarks, and the classes that they are read into.

Read in this order:

1. `method.py`: `Method`, an agent with settings under a name, and `select_methods`.
2. `scratch_settings.py`: `ScratchSettings`, the settings of learning single tasks from scratch.
3. `suite.py`: `EvalSet`, `SuiteEntry` and `Suite`, and `load`, which reads a suite file.
4. `frozen_tasks.py`: the tasks of the eval sets, drawn once and stored.

Each `NAME.json` is a built-in suite. `tasks/NAME/` holds its frozen tasks, and `references/NAME.json` the returns of
its score anchors; `metarl references` writes both.
"""
