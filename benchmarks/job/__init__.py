"""Jobs: the trainings and evaluations of a benchmark, run in processes and stored in a folder.

Read in this order:

1. `benchmark_folder.py`: `RunKey` and `BenchmarkFolder`, the plan of a benchmark and the paths of its files.
2. `evaluate.py`: evaluation of a trained method on an eval set.
3. `learn_from_scratch.py`: learning of single tasks from scratch.
4. `job.py`: `Job`, one training with the evaluations that use its weights.
5. `worker.py`: the process that runs jobs.
6. `schedule.py`: the distribution of all jobs among worker processes.
"""
