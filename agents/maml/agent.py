"""Adaptation as it is used: an agent that lives through trials and takes gradient steps on its own rollouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metarl.agents.maml import faults
from metarl.agents.maml.experience import credit, log_std_of
from metarl.agents.maml.network import Params
from metarl.agents.maml.policy import MetaPolicy
from metarl.agents.maml.sampling import Slot
from metarl.agents.noise import Noise
from metarl.counted import generator
from metarl.errors import MetarlError
from metarl.trials import Step


class MetaAgent:
    """Initial weights living through B trials (contract 8), each adapted on its own rollouts alone.

    Every `trial_shots` episodes it takes a gradient step on them, `steps_in_trial` times at most. Until the last of
    these steps actions are sampled, for a policy that never varies learns nothing from its rollouts; after it they are
    the mode where `deterministic`.
    """

    def __init__(self, policy: MetaPolicy, deterministic: bool = True) -> None:
        self.policy = policy
        self.deterministic = deterministic
        self.num_envs = 0
        self.params: Params = {}
        self.steps = 0  # gradient steps taken in this trial

    def begin(self, num_envs: int) -> None:
        """A new trial, from the initial weights; what actions are sampled with begins anew, too."""
        self.num_envs = num_envs
        self.steps = 0
        self.params = {name: value.detach() for name, value in self.policy.network.params(num_envs).items()}
        self._see_std()
        self._noise = Noise(generator("sampled actions", device=self._device()))
        self._shots: list[list[Tensor]] = []
        self._slot = Slot()
        self._over = torch.zeros(num_envs, dtype=torch.bool, device=self._device())

    @property
    def adapting(self) -> bool:
        """Whether there are gradient steps to come."""
        return self.steps < self.policy.settings.steps_in_trial

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        self._check_begun()
        if obs.shape != (self.num_envs, *self.policy.shape):
            want = [self.num_envs, *self.policy.shape]
            raise MetarlError(f"this agent sees observations of shape {want}, got {list(obs.shape)}")
        out = self.policy.network(self.params, self.policy.see(obs).unsqueeze(1))
        law = self.policy.actions.law(out, self._log_std)
        if self.deterministic and not self.adapting:
            action = law.mode().squeeze(1)
        else:
            action = law.sample(self.policy.actions.noise(self._noise, out)).squeeze(1)
        self._last = obs, action, out.squeeze(1)
        return self.policy.actions.applied(action)

    @torch.no_grad()
    def observe(self, step: Step) -> None:
        # A GPU looks up only now and then whether a slot may be cut short: what all rested through is none of it.
        if not self.adapting or bool(step.resting.all()):
            return
        self._slot.add(*self._last, step.reward, step.resting)
        self._over = self._over | step.terminated | step.truncated
        if bool(self._over.all()):  # every environment's episode has ended
            self._end_episode()

    def clone(self) -> MetaAgent:
        """An agent with adapted weights of its own: what one goes on to learn does not move the other."""
        self._check_begun()
        twin = MetaAgent(self.policy, self.deterministic)
        twin.__dict__.update(self.__dict__)
        twin._take(self.params)
        twin._shots, twin._slot = [list(shot) for shot in self._shots], Slot()
        twin._slot.rows = list(self._slot.rows)
        twin._noise = Noise(self._noise.generator and self._noise.generator.clone_state())
        return twin

    def save(self, path: str | Path) -> None:
        """The adapted weights, for `load`; rollouts that no gradient step has been taken on yet are not kept."""
        self._check_begun()
        torch.save(self.state_dict(), path)

    def load(self, path: str | Path) -> MetaAgent:
        """Take up adapted weights saved by an agent of the same run; returns itself."""
        try:
            self.load_state_dict(torch.load(path, weights_only=True, map_location=self._device()))
        except Exception as error:  # torch raises what it comes to in a file of another kind, and gives unsafe advice
            why = error if isinstance(error, KeyError | OSError) else type(error).__name__
            raise MetarlError(
                f"{path} holds no adapted weights of this agent ({why}): give a file that save() made"
            ) from error
        return self

    def state_dict(self) -> dict[str, Any]:
        return {"params": {name: value.clone() for name, value in self.params.items()}, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        meta, params, steps = self.policy.network.meta, state["params"], int(state["steps"])
        if {n: p.shape[1:] for n, p in params.items()} != {n: w.shape for n, w in meta.items()}:
            raise KeyError("their names or shapes differ")
        self.begin(len(next(iter(params.values()))))
        self._take(params)
        self.steps = steps

    def _check_begun(self) -> None:
        if not self.num_envs:
            raise MetarlError("call begin(num_envs) first, or load")

    def _take(self, params: Params) -> None:
        """Act by copies of these weights from now on."""
        self.params = {name: value.detach().clone() for name, value in params.items()}
        self._see_std()

    def _see_std(self) -> None:
        self._log_std = log_std_of(self.params, torch.empty(self.num_envs, device=self._device())).flatten(1, 2)

    def _end_episode(self) -> None:
        self._shots.append(self._slot.stacked(self.num_envs, 1))
        self._slot, self._over = Slot(), torch.zeros_like(self._over)
        if len(self._shots) == self.policy.settings.trial_shots:
            self._adapt()
            self._shots = []

    def _adapt(self) -> None:
        policy, settings = self.policy, self.policy.settings
        phase = policy.phase(self.params, *_side_by_side(self._shots))
        credit(phase, policy.baseline, settings.gamma, settings.lam)
        with torch.enable_grad():
            adapted = policy.adapt(self.params, phase)
        broken = faults.first_broken(adapted)
        if broken is not None:
            raise MetarlError(
                f"the gradient step of environment {broken} is not finite: lower inner_lr, as in "
                "metarl.load(run_dir, inner_lr=...), or look at the rewards it was given"
            )
        self._take(adapted)
        self.steps += 1

    def _device(self) -> torch.device:
        return next(self.policy.network.parameters()).device


def _side_by_side(shots: list[list[Tensor]]) -> list[Tensor]:
    """Episodes [B, 1, T, ...] of different lengths as one batch [B, shots, T, ...], filled up with rest."""
    longest = max(shot[-1].shape[2] for shot in shots)
    return [
        torch.cat([torch.cat([x, x.new_zeros(*x.shape[:2], longest - x.shape[2], *x.shape[3:])], 2) for x in column], 1)
        for column in zip(*shots, strict=True)
    ]
