"""The MAML family by name: each preset is a choice of parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from metarl.agents.maml.agent import MetaAgent
from metarl.agents.maml.learner import MetaLearner
from metarl.agents.maml.policy import MetaPolicy
from metarl.agents.maml.settings import MAMLSettings, Outer
from metarl.agents.maml.surrogates import SurrogateName
from metarl.agents.maml.tuned import TUNED
from metarl.core.agent import AgentType, Control


@dataclass(frozen=True)
class MAMLTRPOSettings(MAMLSettings):
    """MAML as published: log-likelihood within, TRPO without (Finn et al. 2017)."""

    surrogate: SurrogateName = "log-likelihood"
    outer: Outer = "trpo"


@dataclass(frozen=True)
class MAMLPPOSettings(MAMLSettings):
    """MAML with PPO in the outer loop and LVC in the inner."""


@dataclass(frozen=True)
class ProMPSettings(MAMLSettings):
    """Proximal meta-policy search (Rothfuss et al. 2019): LVC within, PPO and a penalty on the inner KL without."""

    inner_kl_coef: float = 5e-4


@dataclass(frozen=True)
class EMAMLSettings(MAMLSettings):
    """E-MAML (Stadie et al. 2018): pre-update actions get credit for what is earned after the update."""

    surrogate: SurrogateName = "log-likelihood"
    exploration_coef: float = 0.1


@dataclass(frozen=True)
class FOMAMLSettings(MAMLSettings):
    """First-order MAML (Finn et al. 2017, section 5.2)."""

    first_order: bool = True
    outer_lr: float = 1e-3  # with 3e-3 it learns HalfCheetahDirH100 as fast, and then falls back to nothing


@dataclass(frozen=True)
class ReptileSettings(MAMLSettings):
    """Reptile (Nichol et al. 2018)."""

    outer: Outer = "reptile"
    outer_lr: float = 0.1


@dataclass(frozen=True)
class MetaSGDSettings(MAMLSettings):
    """Meta-SGD (Li et al. 2017): inner step sizes are learned with the weights."""

    learn_rates: bool = True


@dataclass(frozen=True)
class ANILSettings(MAMLSettings):
    """Almost no inner loop (Raghu et al. 2020): only the head is adapted."""

    head_only: bool = True


UNADAPTED = {"unadapted": Control("no gradient steps", {"trial_steps": -1})}


def _restore(
    observation_space: gym.Space, action_space: gym.Space, settings: MAMLSettings, state: Mapping[str, Any],
    deterministic: bool ) -> MetaAgent:  # fmt: skip
    policy = MetaPolicy(observation_space, action_space, settings)
    policy.load_state_dict(state["policy"])
    return MetaAgent(policy.eval(), deterministic)


_DECLINED = {
    "memory": "its policy is feed-forward, for the outer loop differentiates twice, which recurrent layers on CUDA do "
    "not offer; rl2 has memory"
}


def _lived_by(settings: MAMLSettings) -> tuple[str, ...]:
    """What a trained agent adapts by; learned step sizes are part of it."""
    fixed = () if settings.learn_rates else ("inner_lr", "head_only")
    return ("trial_shots", "trial_steps", *fixed, "surrogate", "gamma", "gae_lambda")


def _preset(name: str, settings: type[MAMLSettings], about: str) -> AgentType:
    return AgentType(
        name,
        settings,
        MetaLearner,
        _restore,
        tuned=TUNED,
        unsupported_settings=_DECLINED,
        changeable_settings=_lived_by,
        controls=UNADAPTED,
        about=about,
    )


MAML = _preset("maml", MAMLTRPOSettings, "MAML: TRPO through an inner policy gradient (Finn et al. 2017)")
MAML_PPO = _preset("maml-ppo", MAMLPPOSettings, "MAML with PPO in the outer loop and the LVC surrogate in the inner")
PROMP = _preset("promp", ProMPSettings, "ProMP: MAML-PPO with a penalty on the inner KL (Rothfuss et al. 2019)")
E_MAML = _preset(
    "e-maml", EMAMLSettings, "E-MAML: credit for what exploring is worth after the update (Stadie et al. 2018)"
)
FOMAML = _preset("fomaml", FOMAMLSettings, "first-order MAML: the inner gradient counts as a constant")
REPTILE = _preset("reptile", ReptileSettings, "Reptile: towards the mean of the adapted weights (Nichol et al. 2018)")
META_SGD = _preset("meta-sgd", MetaSGDSettings, "Meta-SGD: MAML that learns its inner step sizes (Li et al. 2017)")
ANIL = _preset("anil", ANILSettings, "ANIL: MAML that adapts its head alone (Raghu et al. 2020)")
