"""A Ray cluster as what stacks are sent to. Imported only where a study names it: it needs Ray."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from overmix.errors import ConfigError, MissingExtraError, OvermixError, WorkerFault
from overmix.study.plan import fingerprint as local
from overmix.study.plan.process import set_up_process
from overmix.study.run.crew import Failed
from overmix.study.run.remote import NodeLost, SentStack, TrainedStack, train_sent
from overmix.study.spec.schema import ExecutorSpec

try:
    import ray
    from ray.exceptions import RayError, RayTaskError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError:
    raise MissingExtraError("ray", "ray") from None

_REACH_SECONDS = 5.0
"""How long a cluster's address may take to answer."""

_LOOK_SECONDS = 1.0
"""How often a worker asks whether it should stop, if it has nothing to tell."""

_ENVIRONMENT = {"env_vars": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}}
"""What numerical libraries read when they are loaded, as for local workers."""


@contextlib.contextmanager
def connected(spec: ExecutorSpec, device: str) -> Iterator[RayCluster]:
    """Give the cluster that a study names; a process that is connected already stays so, and to the same one.

    Raises:
        ConfigError: if it cannot be reached, or no node of it has what a stack asks for.
    """
    if device not in ("cpu", "cuda"):
        raise ConfigError("device", device, "write cuda: Ray chooses which one a stack is given")
    ours = not ray.is_initialized()
    if ours:
        _connect(spec.address)
    try:
        cluster = RayCluster(spec, device)
        if not cluster.room():
            asked = f"{spec.num_cpus} processors and {cluster.num_gpus:g} GPUs"
            raise ConfigError("executor", spec.name, f"no node of the cluster has {asked}: ask for less for each stack")
        yield cluster
    finally:
        if ours:
            ray.shutdown()


def _connect(address: str) -> None:
    remedy = "start one with `ray start --head`, or name the host:port of a running one"
    try:
        _reach(address)
        with _our_signals():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError, AssertionError, RayError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError("executor.address", address, f"no Ray cluster answers there ({told}): {remedy}") from None


def _reach(address: str) -> None:
    """Knock first: Ray would try for a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_REACH_SECONDS).close()
    elif address != "auto":
        raise ValueError("it is no host:port")


@contextlib.contextmanager
def _our_signals() -> Iterator[None]:
    """Keep what Ctrl-C and SIGTERM mean here, whatever Ray makes of them while it connects."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Say what to do if the cluster is gone, or the node that this process is on."""
    try:
        yield
    except (RayError, ConnectionError) as error:
        raise OvermixError(
            f"the Ray cluster does not answer any more ({type(error).__name__}): run the same command again, once it "
            "is up, to go on from the last checkpoints"
        ) from None


class RayCluster:
    """A Ray cluster that this process is connected to, see :class:`overmix.study.run.remote.Cluster`.

    Args:
        spec: what each stack asks for.
        device: of the study, resolved.
    """

    def __init__(self, spec: ExecutorSpec, device: str) -> None:
        self._num_cpus = spec.num_cpus
        self.num_gpus = spec.num_gpus if isinstance(spec.num_gpus, int | float) else float(device == "cuda")
        # Ray would begin a lost task anew; here it goes on from its last checkpoint.
        self._options = {
            "num_cpus": spec.num_cpus,
            "num_gpus": self.num_gpus,
            "max_retries": 0,
            "runtime_env": _ENVIRONMENT,
        }
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        # Methods of an actor are made by Ray, which no type says.
        self._mail: Any = ray.remote(_Mail).options(num_cpus=0, scheduling_strategy=here).remote()

    def room(self) -> int:
        """Return how many stacks fit on the nodes that are up."""
        with _answering():
            nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
            return sum(self._room_of(node.get("Resources", {})) for node in nodes if node["Alive"])

    def _room_of(self, resources: dict[str, float]) -> int:
        rooms = [resources.get("CPU", 0.0) // self._num_cpus]
        if self.num_gpus:
            rooms.append(resources.get("GPU", 0.0) / self.num_gpus)
        return int(min(rooms))

    def fingerprint(self, device: str) -> dict[str, Any]:
        """Return the fingerprint of a node that has what a stack asks for."""
        try:
            machine: dict[str, Any] = ray.get(ray.remote(_fingerprint).options(**self._options).remote(device))
        except RayError as error:
            raise OvermixError(
                f"a node of the cluster cannot train ({_last_line(error)}): install the overmix and Python there that "
                "are here"
            ) from None
        return machine

    def submit(self, stack: SentStack) -> Any:
        """Send a stack."""
        with _answering():
            return ray.remote(_train).options(**self._options).remote(stack, self._mail)

    def wait(self, stacks: Sequence[Any], seconds: float) -> list[Any]:
        """Return those that have come to their end."""
        with _answering():
            done, _ = ray.wait(list(stacks), num_returns=1, timeout=seconds)
            return list(done)

    def result(self, stack: Any) -> TrainedStack | Failed | None:
        """Return what came back."""
        try:
            result: TrainedStack | Failed | None = ray.get(stack)
        except RayTaskError as error:
            raise WorkerFault(f"a worker failed: {_last_line(error)}", str(error)) from None
        except RayError as error:
            raise NodeLost(f"{type(error).__name__} of Ray") from None
        return result

    def heard(self) -> list[Any]:
        """Return what was told."""
        with _answering():
            told: list[Any] = ray.get(self._mail.take.remote())
            return told

    def stop(self) -> None:
        """Let all stacks save their state and leave."""
        with _answering():
            ray.get(self._mail.stop.remote())

    def abandon(self, stacks: Sequence[Any]) -> None:
        """End those that do not leave."""
        for stack in stacks:
            ray.cancel(stack, force=True)


class _Mail:
    """An actor beside the driver, which workers tell their progress to, and which tells them to stop."""

    def __init__(self) -> None:
        self._told: list[Any] = []
        self._stop = False

    def put(self, events: Sequence[Any]) -> bool:
        self._told.extend(events)
        return self._stop

    def take(self) -> list[Any]:
        told, self._told = self._told, []
        return told

    def stop(self) -> None:
        self._stop = True


@dataclass
class _ToMail:
    """A worker's way to the driver."""

    mail: Any
    stop: bool = False
    looked: float = 0.0

    def tell(self, event: Any) -> None:
        self._put([event])

    def should_stop(self) -> bool:
        if time.monotonic() - self.looked > _LOOK_SECONDS:
            self._put([])
        return self.stop

    def _put(self, events: Sequence[Any]) -> None:
        self.looked = time.monotonic()
        try:
            self.stop = ray.get(self.mail.put.remote(events))
        except RayError:
            self.stop = True  # nobody is there to train for


def _train(stack: SentStack, mail: Any) -> TrainedStack | Failed | None:
    set_up_process()
    return train_sent(stack, _ToMail(mail))


def _fingerprint(device: str) -> dict[str, Any]:
    return local.fingerprint(device)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
