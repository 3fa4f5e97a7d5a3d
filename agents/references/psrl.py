"""PSRL: posterior sampling for reinforcement learning."""

from __future__ import annotations

from metarl.agents.references.tables import Backup, TableAgent, TableSettings, expected
from metarl.core.agent import AgentType


class PSRLAgent(TableAgent):
    """An agent that draws an MDP from the exact posterior for each episode and acts optimally in it.

    See Strens (2000) and Osband et al. (2013).
    """

    def backup(self) -> Backup:
        rewards, transitions = self.drawn_model()
        return lambda value: rewards + expected(transitions, value)


PSRL = AgentType(
    "psrl", TableSettings, None, lambda obs, actions, settings, *_: PSRLAgent(obs, actions, settings),
    about="reference on tabular MDPs: each episode, the best policy of one draw from the posterior",
)  # fmt: skip
