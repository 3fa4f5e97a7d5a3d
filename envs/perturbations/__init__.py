"""Perturbations: task parameters that change any robot's model, actions or observations.

Built-in perturbations are registered as entry points in `pyproject.toml`. In reading order:

- `perturbation.py`: `Perturbation` and `Channel`, the base classes.
- `scaling.py`, `friction.py`: factors on masses, damping, gravity, motor strength and friction.
- `limb_lengths.py`, `payload.py`, `dead_motor.py`: changes of bodies and motors.
- `slope.py`, `medium.py`: changes of the ground, the fluid and the wind.
- `motor_permutation.py`, `delay.py`, `noise.py`: channels between agent and robot.
- `elements.py`: parameters for one named element, such as `body_mass_scale[torso]`.
- `switch.py`: second values of parameters, from a given step of the episode on.
- `perturbed.py`: all of the above applied to a batch of simulations.
"""
