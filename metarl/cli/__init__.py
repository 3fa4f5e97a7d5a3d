"""The command line, `metarl COMMAND`. It calls the functions of metarl.api and prints. In reading order:

- main.py: the entry point; finds a command, makes its options with tyro, and prints errors as one message.
- command.py: `Command`, with which other packages add commands through the entry-point group `metarl.commands`.
- listing.py: `metarl list`, tables of distributions, worlds, goals, perturbations and agents.
- show.py: `metarl show`, pictures or a video of sampled tasks.
- pictures.py: captions, contact sheets, PNG and mp4 files.
- train.py: `metarl train`, meta-training into a run directory.
- evaluate.py: `metarl evaluate`, evaluation of a run on frozen held-out tasks.

No other part of metarl imports this folder, except for the commands of metarl.benchmarks.
"""
