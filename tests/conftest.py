"""What several tests share."""

import signal

import pytest
import torch
from xdist.scheduler import LoadFileScheduling

from priorcraft.datasets import Splits, open_data

signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup and background jobs of a shell begin without it
torch.set_num_threads(1)  # tests are small and run side by side: threads that wait for each other only cost time


@pytest.fixture(scope="session")
def digits() -> Splits:
    """The 8x8 digits, 1000/347/450 rows, stratified by class."""
    return open_data("digits")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """What a test draws from the global generator is the same whatever ran before it."""
    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes many seconds takes many minutes beside other work: only what hangs is ended."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(1800))


class ByPlace(LoadFileScheduling):
    """The tests of a file run in one worker, and so do all of the studio: what they share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        studio = "tests/studio/"
        return studio if nodeid.startswith(studio) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log) -> ByPlace:
    return ByPlace(config, log)
