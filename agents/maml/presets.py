"""The MAML family as agent types: each preset is a choice of settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from metarl.agents.maml.agent import MetaAgent
from metarl.agents.maml.inner_update import SurrogateName
from metarl.agents.maml.learner import MetaLearner
from metarl.agents.maml.policy import MetaPolicy
from metarl.agents.maml.settings import MAMLSettings, Outer
from metarl.agents.maml.tuned import TUNED
from metarl.core.agent import AgentType, Control


@dataclass(frozen=True)
class MAMLTRPOSettings(MAMLSettings):
    """MAML as published (Finn et al. 2017): log-likelihood in the inner loop, TRPO in the outer loop."""

    surrogate: SurrogateName = "log-likelihood"
    outer: Outer = "trpo"


@dataclass(frozen=True)
class MAMLPPOSettings(MAMLSettings):
    """MAML with LVC in the inner loop and PPO in the outer loop."""


@dataclass(frozen=True)
class ProMPSettings(MAMLSettings):
    """Proximal meta-policy search (Rothfuss et al. 2019): LVC in the inner loop, PPO with a KL penalty in the outer."""

    inner_kl_coef: float = 5e-4


@dataclass(frozen=True)
class EMAMLSettings(MAMLSettings):
    """E-MAML (Stadie et al. 2018): pre-update actions get credit for the return after the update."""

    surrogate: SurrogateName = "log-likelihood"
    exploration_coef: float = 0.1


@dataclass(frozen=True)
class FOMAMLSettings(MAMLSettings):
    """First-order MAML (Finn et al. 2017, section 5.2)."""

    first_order: bool = True
    outer_lr: float = 1e-3  # 3e-3 learns HalfCheetahDirH100 as fast, but the return collapses later


@dataclass(frozen=True)
class ReptileSettings(MAMLSettings):
    """Reptile (Nichol et al. 2018)."""

    outer: Outer = "reptile"
    outer_lr: float = 0.1


@dataclass(frozen=True)
class MetaSGDSettings(MAMLSettings):
    """Meta-SGD (Li et al. 2017): the inner step sizes are learned."""

    learn_rates: bool = True


@dataclass(frozen=True)
class ANILSettings(MAMLSettings):
    """Almost no inner loop, ANIL (Raghu et al. 2020): only the last layer is adapted."""

    head_only: bool = True


UNADAPTED = {"unadapted": Control("no gradient steps", {"trial_steps": -1})}


def _restore(
    observation_space: gym.Space, action_space: gym.Space, settings: MAMLSettings, state: Mapping[str, Any],
    deterministic: bool ) -> MetaAgent:  # fmt: skip
    policy = MetaPolicy(observation_space, action_space, settings)
    policy.load_state_dict(state["policy"])
    return MetaAgent(policy.eval(), deterministic)


_UNSUPPORTED = {
    "memory": "its policy is feed-forward, because the outer loop differentiates twice, which recurrent layers do not "
    "support on CUDA; use rl2 for a policy with memory"
}


def _changeable_settings(settings: MAMLSettings) -> tuple[str, ...]:
    """Return the settings of adaptation that may be changed in a trained agent; learned step sizes may not."""
    fixed = () if settings.learn_rates else ("inner_lr", "head_only")
    return ("trial_shots", "trial_steps", *fixed, "surrogate", "gamma", "gae_lambda")


def _preset(name: str, settings: type[MAMLSettings], about: str) -> AgentType:
    return AgentType(
        name,
        settings,
        MetaLearner,
        _restore,
        tuned=TUNED,
        unsupported_settings=_UNSUPPORTED,
        changeable_settings=_changeable_settings,
        controls=UNADAPTED,
        about=about,
    )


MAML = _preset("maml", MAMLTRPOSettings, "MAML: TRPO through an inner policy-gradient step (Finn et al. 2017)")
MAML_PPO = _preset("maml-ppo", MAMLPPOSettings, "MAML with the LVC surrogate in the inner and PPO in the outer loop")
PROMP = _preset("promp", ProMPSettings, "ProMP: maml-ppo with a penalty on the pre-update KL (Rothfuss et al. 2019)")
E_MAML = _preset(
    "e-maml", EMAMLSettings, "E-MAML: credit of pre-update actions for the return after the update (Stadie et al. 2018)"
)
FOMAML = _preset("fomaml", FOMAMLSettings, "first-order MAML: the outer loop treats the inner gradient as a constant")
REPTILE = _preset("reptile", ReptileSettings, "Reptile: steps to the mean of the adapted weights (Nichol et al. 2018)")
META_SGD = _preset("meta-sgd", MetaSGDSettings, "Meta-SGD: MAML with learned inner step sizes (Li et al. 2017)")
ANIL = _preset("anil", ANILSettings, "ANIL: MAML that adapts the last layer alone (Raghu et al. 2020)")
