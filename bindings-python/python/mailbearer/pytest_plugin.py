"""Fixtures for programs that send mail: pytest finds them once this package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .mailer import Mailer
    from .testing import Emulator


@pytest.fixture
def mailbearer_emulator() -> Iterator[Emulator]:
    """A fresh `mailbearer.testing.Emulator`."""
    from .testing import Emulator

    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def mailbearer_mailer(mailbearer_emulator: Emulator) -> Iterator[Mailer]:
    """A `mailbearer.Mailer` that sends to `mailbearer_emulator`."""
    from .mailer import Mailer

    with Mailer(**mailbearer_emulator.settings()) as mailer:
        yield mailer
