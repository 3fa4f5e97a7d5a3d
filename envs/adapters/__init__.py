"""Environments of other packages as worlds.

In reading order:

- `import_extra.py`: imports of optional packages, with an error that names the extra to install.
- `minigrid.py`: MiniGrid; a task is the seed of a layout.
- `atari.py`: Atari games; a task is a game mode and a difficulty of the cartridge.

Adapters step B environments one after another on the CPU. Their distributions are not in the catalogue: they are named
by address, e.g. `metarl train rl2 metarl.envs.adapters.minigrid:DOOR_KEY`.
"""
