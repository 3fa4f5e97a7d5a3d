"""Training and evaluation of any agent. Learners are in agents/. In reading order:

- options.py: `TrainOptions`, the options of a training run.
- train.py: `train`, the loop of updates, evaluations and checkpoints, and stopping and resuming it.
- run_dir.py: the files of a run, written so that a kill at any time damages none of them.
- progress.py: the progress line on stderr.
- load_agent.py: `LoadedRun`, a trained agent from its run directory.
- evaluate.py: `evaluate_agent`, which returns the rewards of an agent on frozen tasks as an `EvalResult`.
- eval_file.py: eval files, `eval.npz`.
- evaluate_run.py: `metarl.evaluate`, the evaluation of a run and of the agents that it is compared with.
- plots.py: plots of adaptation.
"""
