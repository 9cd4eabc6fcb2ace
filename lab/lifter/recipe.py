"""How the lifter is trained: lessons of the step, its loss, validation on people it has not seen.

Lessons of a step follow from (seed, step) alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...kernels.lifter.lifter import Lifter, LifterConfig
from ...kernels.settings import StageConfig
from ...stream.body_files import load_body
from ...stream.prior_files import load_pose_prior
from ..motion.augment import AugmentConfig, Augmenter
from ..motion.track import MotionTrack
from ..motion.windows import WindowBank, WindowSampler
from .bodies import body_pool
from .lesson import Lesson, LessonConfig, make_lesson
from .linear_start import linear_start
from .loss import STRIDE, LiftLossConfig, lift_loss
from .score import LifterScore, fitted_laws, mean_pose_answer, score_answers, score_lifter

START_STEP = 10**9
"""Steps from here on are the linear start's."""
REPEATS = 4
"""How often a lesson is learned from, each time in other slots: a lesson costs as much as half a step."""
REPEATED_AFTER = 6
"""How many lessons later."""
VALIDATION_SEED = 1


class LifterRecipeConfig(StageConfig):
    """What a step sees."""

    batch: int = Field(default=64, ge=1)
    """Windows."""
    bodies: int = Field(default=1500, ge=1)
    """Random bodies to draw from."""
    start_windows: int = Field(default=3000, ge=100)
    """Windows that the linear start is fitted to."""
    validation_stride: int = Field(default=96, ge=1)
    """Frames between validation windows."""
    lesson: LessonConfig = LessonConfig()
    augment: AugmentConfig = AugmentConfig()
    loss: LiftLossConfig = LiftLossConfig()


class LifterRecipe:
    """The recipe."""

    name = "lifter"

    def __init__(
        self,
        training: Sequence[MotionTrack],
        validation: Sequence[MotionTrack],
        seed: int = 0,
        size: LifterConfig | None = None,
        config: LifterRecipeConfig | None = None,
        card: Callable[[LifterRecipe, Mapping[str, float]], str] | None = None,
    ) -> None:
        """
        Args:
            training: recordings to learn from.
            validation: of other people.
            seed: everything random follows from it.
            size: of the network.
            config: of the lessons.
            card: writes the model card.
        """
        self.config, self.seed = config or LifterRecipeConfig(), seed
        self._card = card
        self._lessons: dict[int, Lesson] = {}
        self._sampler, self._validation = WindowSampler(WindowBank(training), seed), list(validation)
        self._augment = Augmenter(self.config.augment, seed)
        body = load_body()
        self._pool = body_pool(body, self.config.bodies, seed)
        self._laws = fitted_laws()
        torch.manual_seed(seed)
        self.network = Lifter(size or LifterConfig())
        with torch.no_grad():
            self.network.joint_template_m.copy_(torch.from_numpy(body.joint_template_m))
            self.network.joint_shapedirs_m.copy_(torch.from_numpy(body.joint_shapedirs_m))
        linear_start(self.network, self.lesson(START_STEP, self.config.start_windows))

    def lesson(self, step: int, count: int) -> Lesson:
        """The lesson of a step."""
        random = np.random.default_rng([self.seed, step])
        self._sampler.reseed(int(random.integers(2**62)))
        windows = self._sampler.draw(count)
        self._augment.reseed(step)
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        return make_lesson(self._augment(windows), self._pool, self._laws, self.config.lesson, generator)

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of one batch; "total" is minimised."""
        lesson = self._recent(step // REPEATS - REPEATED_AFTER * (step % REPEATS)).on(
            self.network.mean.device
        )
        slots = slice(step % STRIDE, None, STRIDE)
        said = self.network(lesson.features, slots)
        return lift_loss(self.network, said, lesson, self.config.loss, slots)

    @torch.no_grad()
    def _recent(self, number: int) -> Lesson:
        """A numbered lesson; kept while it will be asked for again."""
        if number not in self._lessons:
            for old in [k for k in self._lessons if k < number - REPEATS * REPEATED_AFTER]:
                del self._lessons[old]
            self._lessons[number] = self.lesson(number % START_STEP, self.config.batch)
        return self._lessons[number]

    def validate(self) -> dict[str, float]:
        """Errors on held-back people: in full view, by category of their motion, and as crowds are."""
        if not self._validation:
            return {}
        stride = self.config.validation_stride
        clear = score_lifter(self.network, self._validation, VALIDATION_SEED, None, stride)
        crowd = score_lifter(self.network, self._validation, VALIDATION_SEED, self.config.lesson, stride)
        return figures(clear) | {f"{key}.crowd": value for key, value in means(crowd).items()}

    def baselines(self) -> dict[str, float]:
        """The same of the mean pose that faces where it goes."""
        answer = mean_pose_answer(load_pose_prior().mean)
        score = score_answers(answer, self._validation, VALIDATION_SEED, None, self.config.validation_stride)
        return figures(score)

    def card(self, metrics: Mapping[str, float]) -> str:
        """The model card."""
        return "# lifter\n" if self._card is None else self._card(self, metrics)


def means(score: LifterScore) -> dict[str, float]:
    """Means over windows."""
    keys = ("pa_mpjpe_mm", "mpjpe_mm", "root_m")
    return {f"lifter.{key}": float(np.nanmean(getattr(score, key))) for key in keys}


def figures(score: LifterScore) -> dict[str, float]:
    """Means over windows, and over those of each category."""
    out = means(score)
    names = np.array(score.category)
    for name in sorted(set(score.category)):
        out[f"lifter.pa_mpjpe_mm.{name}"] = float(np.nanmean(score.pa_mpjpe_mm[names == name]))
        out[f"lifter.mpjpe_mm.{name}"] = float(np.nanmean(score.mpjpe_mm[names == name]))
    return out
