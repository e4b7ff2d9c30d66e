"""What one reconcile was asked to do: the events that started it, in the light of the settings.

Pure. Knows nothing of what the reconcile finds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ringfence.core.configuration.settings import Mode, Settings
from ringfence.core.events import Launching, LifecycleEvent, Terminating, TrueUp
from ringfence.core.model.identifiers import Region, RosterKey
from ringfence.core.model.pauses import Pause
from ringfence.core.model.rosters import Roster, Rows


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt at a reconcile.

    `minimum_versions` maps a roster's key to the version that our next row must reach, because a peer has a row with
    that version or a different one at ours. `copies` are the rosters that a peer has of groups of ours that do not
    exist, and that the home table lacks: it was made again.
    `pause` is the pause of the home Region: then the settings are those of observe mode, and `mode_without_pause` is
    what it interrupts.
    """

    events: Sequence[LifecycleEvent | TrueUp]
    settings: Settings
    minimum_versions: Mapping[RosterKey, int] = field(default_factory=dict)
    copies: Mapping[RosterKey, Roster] = field(default_factory=dict)
    pause: Pause | None = None
    mode_without_pause: Mode | None = None

    def as_paused_by(self, rows: Rows) -> "Request":
        """The request as the home table's rows permit it: in a paused Region, the engine only observes."""
        if (pause := rows.pause_of(self.home)) is None:
            return self
        settings = replace(self.settings, mode=Mode.OBSERVE)
        return replace(self, settings=settings, pause=pause, mode_without_pause=self.settings.mode)

    @property
    def configured_mode(self) -> Mode:
        """The mode of the configuration: what the engine would do, although a pause keeps it from doing it."""
        return self.mode_without_pause or self.settings.mode

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
