"""The world behind the simulator: who says what and when, and what is on its platform."""

from collectors.contract.platform import Action, Platform, Policy
from collectors.platforms.simulator.config import REPLY_LENGTH, SimulatorConfig, check_credentials
from collectors.platforms.simulator.responder import SimulatorResponder
from collectors.platforms.simulator.source import Simulator

PLATFORM = Platform(
    key="simulator",
    config=SimulatorConfig,
    source=Simulator,
    responder=SimulatorResponder,
    check_credentials=check_credentials,
    reply_length=lambda _: REPLY_LENGTH,
    limit_headers=(),
    can=frozenset({Action.REPLY}),
    # Nobody there is a person.
    policy=Policy(may_store_hours=None, may_dm=True, may_merge_identity=True),
)
