"""What one reconcile was asked to do: the events that started it, in the light of the settings.

Pure. Knows nothing of what the reconcile finds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ringfence.core.configuration.settings import Mode, Settings
from ringfence.core.events import Launching, LifecycleEvent, Terminating, TrueUp
from ringfence.core.model.identifiers import Region, RosterKey
from ringfence.core.model.rosters import Roster


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt at a reconcile.

    `minimum_versions` maps a roster's key to the version that our next row must reach, because a peer has a row with
    that version or a different one at ours. `copies` are the rosters that a peer has of groups of ours that do not
    exist, and that the home table lacks: it was made again.
    """

    events: Sequence[LifecycleEvent | TrueUp]
    settings: Settings
    minimum_versions: Mapping[RosterKey, int] = field(default_factory=dict)
    copies: Mapping[RosterKey, Roster] = field(default_factory=dict)

    @property
    def home(self) -> Region:
        """The Region that this engine runs in."""
        return self.settings.region

    @property
    def lifecycle_events(self) -> list[LifecycleEvent]:
        """The lifecycle events among the events."""
        return [event for event in self.events if isinstance(event, Launching | Terminating)]

    @property
    def answerable_events(self) -> list[LifecycleEvent]:
        """The lifecycle events whose hooks are not answered yet. In observe mode, all were answered first."""
        return [] if self.settings.mode is Mode.OBSERVE else self.lifecycle_events

    @property
    def confirmed(self) -> frozenset[str]:
        """The digests of held removals that an operator has approved."""
        return frozenset(event.confirm for event in self.events if isinstance(event, TrueUp) and event.confirm)

    @property
    def only_lifecycle_events(self) -> bool:
        """Whether only lifecycle events started this, so that a peer most likely lacks only what changes now."""
        return not self.minimum_versions and not any(isinstance(event, TrueUp) for event in self.events)

    @property
    def has_termination(self) -> bool:
        """Whether rules must be read after the tables have taken the rosters, as any release requires."""
        return any(isinstance(event, Terminating) for event in self.events)
