"""The chunks of an answer on a Ray cluster: Ray Data hands them out, and does those of a lost worker again."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from priorcraft.errors import PriorcraftError, UsageError
from priorcraft.scale.chunks import Job
from priorcraft.scale.content import compute

LOCAL = "local"


def by_ray(job: Job, folder: Path, todo: Iterable[int], workers: int, address: str) -> Iterator[int]:
    """The numbers of the chunks in the order in which the cluster finishes them.

    Every node must be able to read the run and the source, and to write the folder.

    Raises:
        UsageError: Ray is not installed.
        PriorcraftError: no cluster at the address, or a chunk that cannot be computed.
    """
    todo = list(todo)

    def computed(row: dict[str, Any]) -> dict[str, Any]:
        return {"chunk": compute(job, where, int(row["chunk"]))}

    where = str(folder.absolute())
    with connected(address, workers + 1):  # Ray Data needs a CPU for itself
        import ray.data
        from ray.exceptions import RayError

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        pool = ray.data.TaskPoolStrategy(size=workers)
        chunks = ray.data.from_items([{"chunk": chunk} for chunk in todo], override_num_blocks=max(1, len(todo)))
        try:
            for row in chunks.map(computed, num_cpus=1, compute=pool).iter_rows() if todo else ():
                yield int(row["chunk"])
        except RayError as error:
            last = str(error).strip().splitlines()[-1]
            raise PriorcraftError(
                f"the cluster gave up: {last}. Finished chunks are kept in {folder}; the same command goes on."
            ) from None


@contextmanager
def connected(address: str, cpus: int) -> Iterator[None]:
    """Within the block, Ray is connected to a cluster, or to one of so many CPUs on this machine.

    Raises:
        UsageError: Ray is not installed.
        PriorcraftError: no cluster at the address.
    """
    try:
        import ray
    except ImportError:
        raise UsageError("a cluster needs Ray: pip install 'priorcraft[scale]'.") from None
    own = not ray.is_initialized()
    try:
        if own and address == LOCAL:
            ray.init(num_cpus=cpus, log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
        elif own:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        yield
    except ConnectionError as error:
        raise PriorcraftError(f"there is no Ray cluster at {address}: {error}.") from None
    finally:
        if own and ray.is_initialized():
            ray.shutdown()
