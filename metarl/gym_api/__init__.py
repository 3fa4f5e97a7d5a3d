"""The Gymnasium API: task distributions as single, vector and stable-baselines3 environments. In reading order:

- env_core.py: `EnvCore`, the episodes, seeds, tasks and trials of B environments, with NumPy arrays in and out.
- env.py: `MetarlEnv`, the environment of `gym.make`.
- vector_env.py: `VectorEnv`, the environment of `gym.make_vec`, with all three autoreset modes.
- registration.py: the Gymnasium ids `metarl/<Name>-v<version>`.
- sb3.py: `StableVecEnv`, a vector environment for stable-baselines3.
- play.py: `metarl.play`, a trial of an agent in any Gymnasium environment.
- viewer.py: `Viewer`, the window of render_mode="human".
- vector_env_checker.py, checker_tools.py: `metarl.check_vector_env`, a checker for any vector environment.
"""
