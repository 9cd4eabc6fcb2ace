"""How scenes are drawn: how many people, how large, how they stand, and what a camera does to the picture."""

from __future__ import annotations

from pydantic import Field

from ...kernels.settings import StageConfig


class SceneConfig(StageConfig):
    """Ranges that every picture and crop is drawn from."""

    empty_share: float = Field(default=0.08, ge=0.0, le=1.0)
    """Share of pictures without people: things and places only."""
    max_people: int = Field(default=40, ge=1)
    """People placed in one picture at most."""
    min_height_px: float = Field(default=16.0, gt=0.0)
    """Lower end of the size that a picture is drawn around, nearly log-uniform."""
    max_height_px: float = Field(default=400.0, gt=0.0)
    """Upper end of it. Perspective makes single people up to twice as large or small."""
    crop_min_height_px: float = Field(default=24.0, gt=0.0)
    """Lower end of the height that the person of a crop has in the picture it is cut from, log-uniform."""
    crop_max_height_px: float = Field(default=350.0, gt=0.0)
    """Upper end of it."""
    free_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of pictures whose camera does not belong to the backdrop: any view before any place."""
    elevation_tolerance_deg: float = Field(default=8.0, gt=0.0)
    """How far the elevation of a sprite may be from the one under which the camera would see it."""
    max_zoom: float = Field(default=3.0, ge=1.0)
    """Backdrops are not enlarged by more than this."""
    mean_things: float = Field(default=4.0, ge=0.0)
    """Things a picture holds on average."""
    overlay_share: float = Field(default=0.15, ge=0.0, le=1.0)
    """Share of pictures with something before everything: bars, leaves, time stamps, logos, blanked patches."""
    shadow_share: float = Field(default=0.7, ge=0.0, le=1.0)
    """Share of pictures with cast shadows; contact shadows are nearly always there."""
    grey_share: float = Field(default=0.25, ge=0.0, le=1.0)
    """Share of pictures without colour."""
    clean_share: float = Field(default=0.33, ge=0.0, le=1.0)
    """Share of pictures with hardly a fault."""
    crop_least_visible: float = Field(default=0.15, ge=0.0, lt=1.0)
    """A crop that shows less of its person is drawn again; nothing is to be learned from it."""
    crop_occluder_share: float = Field(default=0.35, ge=0.0, le=1.0)
    """Share of crops with a thing before the person."""
    crop_cut_share: float = Field(default=0.15, ge=0.0, le=1.0)
    """Share of crops whose box ends at the legs, as when a detector missed them."""
    crop_border_share: float = Field(default=0.12, ge=0.0, le=1.0)
    """Share of crops through which a border of the picture runs."""
