"""Execution of computations: devices, threads, processes, CUDA graphs and memory. It contains no algorithms.

Nothing here imports another part of metarl but `metarl.errors`. In reading order:

- `devices.py`: the choice of cpu or cuda.
- `threads.py`: the number of CPU threads of physics and networks.
- `launch.py`: further processes on this machine for one training.
- `distributed.py`: sums, means and shards over processes that train together; the identity in one process.
- `cuda_graphs.py`: a step as one CUDA graph, and the fallback to eager execution.
- `free_memory.py`, `malloc.py`, `peak_memory.py`: free memory, memory kept by the process, the most memory taken.
- `machine.py`, `timing.py`: processor, cores and versions, and rates of work, for reports.
"""
