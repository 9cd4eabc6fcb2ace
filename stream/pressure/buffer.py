"""Where frames wait: a bounded queue under a policy, which knows how long each has waited.

    put(item, arrival) -> Admission      the policy takes it, makes room for it, or has it wait or left out
    take(count, now)   -> items          oldest first; what waited beyond the budget is let go before

Items are tokens, frames, windows: what is dropped goes through `let_go`, which frees a slot or counts elsewhere.
At any time   offered = taken + waiting + dropped,   where what was told to wait counts as not offered yet.
One caller at a time.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from .policies.policy import Admission, Policy, Waiting, fullness

Item = TypeVar("Item")


class FrameBuffer(Generic[Item]):
    """Items in the order of arrival."""

    def __init__(
        self, capacity: int, policy: Policy, let_go: Callable[[Item], None] = lambda item: None
    ) -> None:
        """
        Args:
            capacity: items that wait at most.
            policy: of this buffer alone: it counts.
            let_go: called with every item that is dropped.

        Raises:
            ValueError: no room at all.
        """
        if capacity < 1:
            raise ValueError(f"a buffer needs room for one item at least, got {capacity}")
        self.capacity = capacity
        self.offered = 0
        """Items that came in or were left out; one that was told to wait counts when it comes in."""
        self.taken = 0
        self._policy, self._let_go = policy, let_go
        self._items: deque[tuple[int, Item]] = deque()
        self._cleared: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def drops(self) -> Mapping[str, int]:
        """What was dropped since the start, by cause."""
        return dict(Counter(self._policy.drops) + self._cleared)

    @property
    def dropped(self) -> int:
        """All causes together."""
        return sum(self.drops.values())

    def put(self, item: Item, arrival_ns: int) -> Admission:
        """One more. After WAIT it is still the caller's; after LEAVE_OUT it has been let go."""
        answer = self._policy.admit(Waiting(len(self._items), self.capacity))
        if answer is Admission.WAIT:
            return answer
        self.offered += 1
        if answer is Admission.LEAVE_OUT:
            self._let_go(item)
            return answer
        if answer is Admission.MAKE_ROOM:
            self._let_go(self._items.popleft()[1])
        self._items.append((arrival_ns, item))
        return answer

    def take(self, count: int, now_ns: int) -> list[Item]:
        """Up to `count` items, the oldest that are young enough."""
        self.review(now_ns)
        found = [self._items.popleft()[1] for _ in range(min(count, len(self._items)))]
        self.taken += len(found)
        return found

    def review(self, now_ns: int) -> int:
        """Let go of what waited for too long; how many that were. For buffers that nobody takes from just now."""
        dropped = 0
        while self._items and not self._policy.keep(_age_s(self._items[0][0], now_ns)):
            self._let_go(self._items.popleft()[1])
            dropped += 1
        return dropped

    def clear(self, cause: str) -> int:
        """Let go of everything, counted under `cause`; how many that were."""
        dropped = len(self._items)
        while self._items:
            self._let_go(self._items.popleft()[1])
        if dropped:
            self._cleared[cause] += dropped
        return dropped

    def age_s(self, now_ns: int) -> float:
        """How long the oldest has waited; 0 when nothing does."""
        return _age_s(self._items[0][0], now_ns) if self._items else 0.0

    def fullness(self, now_ns: int) -> float:
        """How near it is to dropping, or to holding its source up: 0 empty, 1 there."""
        return fullness(len(self._items), self.capacity, self.age_s(now_ns), self._policy.max_age_s)


def _age_s(arrival_ns: int, now_ns: int) -> float:
    return max(0, now_ns - arrival_ns) / 1e9
