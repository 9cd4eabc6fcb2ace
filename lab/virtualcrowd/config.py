"""What crowd to make: the settings of `virtualcrowd make` that decide who goes where."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from ...kernels.settings import StageConfig
from .scenes import SCENES


class CrowdConfig(StageConfig):
    """One virtual crowd. Shares are of the people present at a time; what they leave over walks alone."""

    scene: str = "plaza"
    """Name of the place: plaza, station, hillside, terrace or colonnade."""
    people: int = Field(100, ge=1, le=2000)
    """Present at a time, from the first slot on; arrivals replace departures."""
    seconds: float = Field(20.0, gt=0.0, le=3600.0)
    """Length of the clip."""
    seed: int = Field(0, ge=0, lt=2**32)
    """The same settings and seed give the same crowd, bit for bit."""
    children: float = Field(0.08, ge=0.0, le=0.3)
    """Share of children (under 1.45 m); they walk in families with one or two adults."""
    grouped: float = Field(0.28, ge=0.0, le=1.0)
    """Share who walk in groups of 2 to 5 adults, side by side where there is room."""
    talkers: float = Field(0.12, ge=0.0, le=1.0)
    """Share who come to talk in a circle, and those who stand and talk."""
    queuers: float = Field(0.10, ge=0.0, le=1.0)
    """Share in queues before kiosks, as far as the scene has room for them."""
    waiting: float = Field(0.06, ge=0.0, le=1.0)
    """Share who come to wait beside a bench, a wall or a planter."""
    joggers: float = Field(0.04, ge=0.0, le=1.0)
    """Share who jog through at 2.5 to 3.5 m/s."""
    returners: float = Field(0.08, ge=0.0, le=1.0)
    """Share who go behind a kiosk or pillar, stay 2 to 6 s out of sight and come out again."""
    stoppers: float = Field(0.06, ge=0.0, le=1.0)
    """Share who stop on their way for a few seconds and go on."""
    turners: float = Field(0.03, ge=0.0, le=1.0)
    """Share who change their mind half way and turn back."""
    warm_up_s: float = Field(20.0, ge=0.0, le=300.0)
    """Time the crowd lives before the first slot."""

    @field_validator("scene")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in SCENES:
            raise ValueError(f"unknown scene {value!r}; expected one of {', '.join(SCENES)}")
        return value

    @model_validator(mode="after")
    def _shares_fit(self) -> CrowdConfig:
        total = sum(self.shares().values())
        if total > 1.0 + 1e-9:
            raise ValueError(
                f"shares of behaviours add up to {total:.2f}, expected at most 1 (families count as "
                f"{1 / CHILDREN_IN_FAMILIES:.1f} people a child); lower some of them"
            )
        return self

    def shares(self) -> dict[str, float]:
        """Wanted share of people by kind of party; the rest walks alone."""
        return {
            "family": self.children / CHILDREN_IN_FAMILIES, "group": self.grouped, "talker": self.talkers,
            "queuer": self.queuers, "waiting": self.waiting, "jogger": self.joggers,
            "returner": self.returners, "stopper": self.stoppers, "turner": self.turners,
        }  # fmt: skip


CHILDREN_IN_FAMILIES = 0.45
"""Share of children among the members of families, on average."""
