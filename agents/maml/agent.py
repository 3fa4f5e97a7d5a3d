"""A trained agent that adapts within a trial, by gradient steps on its rollouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metarl.agents.action_distributions import ActionNoise
from metarl.agents.maml.advantages import compute_advantages
from metarl.agents.maml.inner_update import first_broken
from metarl.agents.maml.network import Params
from metarl.agents.maml.policy import MetaActor, MetaPolicy
from metarl.core.rng import generator
from metarl.core.trials import Step
from metarl.errors import MetarlError


class MetaAgent:
    """An agent (metarl.core.agent) that adapts the initial weights within a trial, separately in each environment.

    After every `trial_shots` episodes it takes a gradient step on them, at most `steps_in_trial` times. Actions are
    sampled until the last of these steps, because a policy gradient needs varied actions. After it, they are the mode
    if `deterministic`.
    """

    def __init__(self, policy: MetaPolicy, deterministic: bool = True) -> None:
        self.policy = policy
        self.deterministic = deterministic
        self.num_envs = 0
        self.steps = 0  # gradient steps taken in this trial

    def begin(self, num_envs: int) -> None:
        """Start a trial from the initial weights, and restart the random numbers of actions."""
        self.num_envs = num_envs
        self.steps = 0
        self.actor = MetaActor(self.policy, num_envs)
        noise = ActionNoise(generator("sampled actions", device=self._device()))
        self.actor.begin(self.policy.initial_params(num_envs), noise)
        self._episodes: list[list[Tensor]] = []  # those finished since the last gradient step
        self._rows: list[tuple[Tensor, ...]] = []  # steps of this episode
        self._over = torch.zeros(num_envs, dtype=torch.bool, device=self._device())

    @property
    def params(self) -> Params:
        """The current weights [B, ...]."""
        return self.actor.params

    @property
    def adapting(self) -> bool:
        """True if gradient steps remain in this trial."""
        return self.steps < self.policy.settings.steps_in_trial

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        self._check_begun()
        if obs.shape != (self.num_envs, *self.policy.shape):
            expected = [self.num_envs, *self.policy.shape]
            raise MetarlError(f"this agent sees observations of shape {expected}, got {list(obs.shape)}")
        acted = self.actor.act(obs, None if self.deterministic and not self.adapting else self.actor.draw())
        self._last = obs, acted.sample, acted.dist_params
        return acted.action

    @torch.no_grad()
    def observe(self, step: Step) -> None:
        # On a GPU, the slot of an episode may continue while all environments rest; these steps belong to no episode.
        if not self.adapting or bool(step.resting.all()):
            return
        self._rows.append((*self._last, step.reward, (~step.resting).float()))
        self._over = self._over | step.terminated | step.truncated
        if bool(self._over.all()):  # every environment's episode has ended
            self._end_episode()

    def clone(self) -> MetaAgent:
        """Return an independent agent with copies of the adapted weights."""
        self._check_begun()
        twin = MetaAgent(self.policy, self.deterministic)
        twin.__dict__.update(self.__dict__)
        twin.actor = MetaActor(self.policy, self.num_envs)
        generator = self.actor.noise.generator
        twin._take(self.params, ActionNoise(generator and generator.clone_state()))
        twin._episodes, twin._rows = [list(episode) for episode in self._episodes], list(self._rows)
        return twin

    def save(self, path: str | Path) -> None:
        """Save the adapted weights, for `load`. Rollouts since the last gradient step are not saved."""
        self._check_begun()
        torch.save(self.state_dict(), path)

    def load(self, path: str | Path) -> MetaAgent:
        """Load adapted weights saved by an agent of the same run, and return self; MetarlError for other files."""
        try:
            self.load_state_dict(torch.load(path, weights_only=True, map_location=self._device()))
        except Exception as error:  # torch raises many kinds of errors for other files, some with unsafe advice
            why = error if isinstance(error, KeyError | OSError) else type(error).__name__
            raise MetarlError(
                f"{path} holds no adapted weights of this agent ({why}): use a file written by save()"
            ) from error
        return self

    def state_dict(self) -> dict[str, Any]:
        return {"params": {name: value.clone() for name, value in self.params.items()}, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        meta, params, steps = self.policy.network.meta, state["params"], int(state["steps"])
        if {n: p.shape[1:] for n, p in params.items()} != {n: w.shape for n, w in meta.items()}:
            raise KeyError("their names or shapes differ")
        self.begin(len(next(iter(params.values()))))
        self._take(params, self.actor.noise)
        self.steps = steps

    def _check_begun(self) -> None:
        if not self.num_envs:
            raise MetarlError("call begin(num_envs) first, or load")

    def _take(self, params: Params, noise: ActionNoise) -> None:
        """Act with copies of these weights from now on."""
        self.actor.begin({name: value.detach().clone() for name, value in params.items()}, noise)

    def _end_episode(self) -> None:
        columns = [torch.stack(column, 1).unsqueeze(1) for column in zip(*self._rows, strict=True)]  # [B, 1, T, ...]
        self._episodes.append(columns)
        self._rows, self._over = [], torch.zeros_like(self._over)
        if len(self._episodes) == self.policy.settings.trial_shots:
            self._adapt()
            self._episodes = []

    def _adapt(self) -> None:
        policy, settings = self.policy, self.policy.settings
        batch = policy.make_batch(self.params, *_side_by_side(self._episodes))
        compute_advantages(batch, policy.baseline, settings.gamma, settings.gae_lambda)
        with torch.enable_grad():
            adapted = policy.adapt(self.params, batch)
        broken = first_broken(adapted)
        if broken is not None:
            raise MetarlError(
                f"the gradient step of environment {broken} is not finite: lower inner_lr, as in "
                "metarl.load(run_dir, inner_lr=...), or check that the rewards are finite"
            )
        self._take(adapted, self.actor.noise)
        self.steps += 1

    def _device(self) -> torch.device:
        return next(self.policy.network.parameters()).device


def _side_by_side(episodes: list[list[Tensor]]) -> list[Tensor]:
    """Return episodes [B, 1, T, ...] of different lengths as one batch [B, shots, T, ...], padded with rests."""
    longest = max(episode[-1].shape[2] for episode in episodes)
    return [
        torch.cat([torch.cat([x, x.new_zeros(*x.shape[:2], longest - x.shape[2], *x.shape[3:])], 2) for x in column], 1)
        for column in zip(*episodes, strict=True)
    ]
