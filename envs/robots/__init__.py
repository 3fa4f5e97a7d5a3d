"""Robots: MuJoCo models as worlds.

In reading order:

- `half_cheetah.py`: a complete robot on one page, with its MJCF in `half_cheetah.xml`.
- `robot.py`: `Robot`, the base class.
- `simulation.py`: `RobotSimulation`, a batch of one robot with its goal and perturbations.
- `floor_contacts.py`: a model transformation that makes collision detection faster and keeps all contacts.
- `drawing.py`: off-screen rendering.
- `hopper.py`, `walker2d.py`, `ant.py`, `humanoid.py`: robots that can fall.
- `swimmer.py`, `reacher.py`, `pendulum.py`, `cart_pole.py`, `point_mass.py`: smaller robots.
"""
