"""Policies of full buffers, one a file."""

from __future__ import annotations

from .drop_oldest import DropOldest
from .leave_out_window import LeaveOutWindow
from .policy import Admission, Policy, Waiting, fullness
from .wait import Wait

__all__ = ["Admission", "DropOldest", "LeaveOutWindow", "Policy", "Wait", "Waiting", "fullness"]
