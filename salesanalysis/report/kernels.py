"""The Jupyter kernel a notebook runs in: this very Python, in a state that is always the same."""

import ast
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from jupyter_core.utils import ensure_event_loop, run_sync

from salesanalysis.report.readers import KEY

START_SECONDS = 60
"""A kernel that has not answered by then is taken for dead."""

START_RETRIES = 2
"""A kernel that did not start is started again: no code of a notebook has run in it."""

_POLL_SECONDS = 0.01

END_SECONDS = 10
"""The warm process has so long to end after its last kernel."""

SHARED = "SALESANALYSIS_SHARED"
"""The environment variable that tells a kernel where the kernels of its run keep what several need."""


_LONGEST_FOLDER = 90  # bytes; with "/socket-5" what every system takes as the address of a socket
_GROUP = "jupyter_client.kernel_provisioners"
_FORKED = "salesanalysis-forked"  # the name that pyproject.toml gives `Forked`
_ENVIRONMENT = {
    "MPLBACKEND": "agg",
    "PYTHONHASHSEED": "0",
    # One thread each: kernels share the cores, a warm process must not have more, and sums come out the same.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}

# What a notebook's programs write past the notebook, nobody could take secrets out of.
_SILENT = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.DEVNULL,
    "stderr": subprocess.DEVNULL,
}


class Kernel(AsyncKernelManager):
    """
    A kernel of the Python that runs the reports, whatever kernels are installed beside it.

    It has its own folder for sockets, as ports are sometimes taken by another kernel, and for
    IPython's profile, so that no start-up file of a user changes a report.
    """

    conversation: AsyncKernelClient
    """The one client, from `started`: a new one for each page would wait for the kernel again."""

    n_retries: int = 0
    """How many others were started in vain before it."""

    def __init__(
        self, warm: "Warm | None" = None, shared: Path | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.warm = warm
        self.shared = shared
        self._folder = tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
        if os.name == "posix" and len(os.fsencode(self._folder.name)) <= _LONGEST_FOLDER:
            self.transport = "ipc"
            self.ip = str(Path(self._folder.name) / "socket")

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that starts the kernel, and its environment."""
        return KernelSpec(
            argv=[
                *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
                "--log-level=CRITICAL",  # the runner says what happened to a cell it stopped
                "--HistoryManager.hist_file=:memory:",
            ],
            display_name="Python 3",
            language="python",
            env={"IPYTHONDIR": self._folder.name, **_ENVIRONMENT},
            metadata={"kernel_provisioner": {"provisioner_name": _FORKED}} if self.warm else {},
        )

    async def open(self, folder: Path) -> None:
        """Start the process in its working folder, and wait for its first answer."""
        # Whoever reads a notebook's outputs must not be able to find other people's folders.
        environment = {name: value for name, value in os.environ.items() if name != KEY}
        if self.shared:
            environment[SHARED] = str(self.shared)
        await self.start_kernel(cwd=str(folder), env=environment, **_SILENT)
        self.conversation = self.client()
        self.conversation.start_channels()
        await self._answer()
        self.conversation.allow_stdin = False

    async def _answer(self) -> None:
        """
        Wait for the first answer, and until it is heard what the kernel will show.

        `wait_for_ready` does that too, but waits .2 s more to see that nothing is left to be read;
        here the kernel's word that it is done with our own request says so.
        """
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            asked = self.conversation.kernel_info()
            with contextlib.suppress(Empty):
                await self.conversation.get_shell_msg(timeout=1)
                while not _is_done(await self.conversation.get_iopub_msg(timeout=0.05), asked):
                    pass
                return
            if not await self.is_alive():
                raise RuntimeError("the kernel died before its first answer")
        raise RuntimeError(f"the kernel did not answer within {START_SECONDS} s")

    async def _async_finish_shutdown(
        self, waittime: float | None = None, pollinterval: float = _POLL_SECONDS, **kwargs: Any
    ) -> None:
        # Only to look more often than ten times a second; a worker waits for this.
        await super()._async_finish_shutdown(waittime, pollinterval, **kwargs)

    def kill(self) -> None:
        """End the process at once, from any thread; whoever waits for an answer learns that it died."""
        process = getattr(self.provisioner, "process", None)
        if process is not None:
            process.kill()

    async def close(self, *, now: bool) -> None:
        """End the process, at once or when it has tidied up; remove the sockets and the folder."""
        try:
            if self.has_kernel:
                await self.shutdown_kernel(now=now)
        finally:
            await self.cleanup_resources()
            if hasattr(self, "conversation"):
                self.conversation.stop_channels()
            self._folder.cleanup()


def _is_done(message: Mapping[str, Any], asked: str) -> bool:
    """Whether a message says that the kernel is done with a request."""
    is_idle = message["content"].get("execution_state") == "idle"
    return is_idle and message["parent_header"].get("msg_id") == asked


@contextmanager
def started(
    folder: Path, warm: "Warm | None" = None, *, shared: Path | None = None
) -> Iterator[Kernel]:
    """
    Give a kernel that works in a folder, gone at the end, whatever happens.

    Parameters
    ----------
    folder : Path
        Where it works.
    warm : Warm, optional
        Fork the kernel from this process instead of starting one.
    shared : Path, optional
        Where the kernels of a run keep what several of them need.

    Raises
    ------
    RuntimeError
        The kernel did not answer, and neither did those after it.
    """
    is_well = False
    try:
        kernel = _opened(folder, warm, shared)
        try:
            yield kernel
            is_well = True
        finally:
            run_sync(kernel.close)(now=not is_well)
    finally:
        ensure_event_loop().close()  # each thread that runs notebooks has made one


def _opened(folder: Path, warm: "Warm | None", shared: Path | None) -> Kernel:
    """Start a kernel, and another if it does not answer."""
    n_retries = 0
    while True:
        kernel = Kernel(warm if warm and warm.is_able else None, shared)
        kernel.n_retries = n_retries
        try:
            run_sync(kernel.open)(folder)
            return kernel
        except BaseException as error:
            run_sync(kernel.close)(now=True)
            if not isinstance(error, Exception) or n_retries == START_RETRIES:
                raise
        n_retries += 1


class Warm:
    """
    The process that kernels are forked from, as long as this is open.

    Parameters
    ----------
    modules : iterable of str
        What it imports beforehand.
    """

    def __init__(self, modules: Iterable[str]) -> None:
        ours, theirs = socket.socketpair()
        environment = {name: value for name, value in os.environ.items() if name != KEY}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and names of modules
                [sys.executable, "-m", "salesanalysis.report.warm", str(theirs.fileno()), *modules],
                pass_fds=[theirs.fileno()],
                env=environment | _ENVIRONMENT,
                **_SILENT,
                start_new_session=True,
            )
        self._socket, self._lines = ours, ours.makefile("rb")
        self._lock = threading.Lock()
        self._is_known: bool | None = None

    @property
    def is_able(self) -> bool:
        """Whether kernels may be forked from it: it has begun, and has one thread."""
        with self._lock:
            if self._is_known is None:
                line = self._lines.readline()
                self._is_known = bool(line) and json.loads(line)["n_threads"] == 1
            return self._is_known

    def fork(self, argv: list[str], *, cwd: str, env: dict[str, str]) -> int:
        """
        Start a kernel and give its process id, which is also that of its group.

        Raises
        ------
        RuntimeError
            The process is gone.
        """
        request = json.dumps({"argv": argv, "cwd": cwd, "env": env}).encode() + b"\n"
        with self._lock:
            try:
                self._socket.sendall(request)
                line = self._lines.readline()
            except OSError:
                line = b""
        if not line:
            self._is_known = False  # the next kernel is started without it
            raise RuntimeError("the process that kernels are forked from is gone")
        return json.loads(line)["pid"]

    def close(self) -> None:
        """End it and every kernel forked from it."""
        self._lines.close()
        self._socket.close()
        try:
            self._process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def warm(notebooks: Iterable[Path]) -> Iterator[Warm | None]:
    """Give a warm process that has imported what the notebooks import; None where kernels cannot be forked."""
    can_fork = hasattr(os, "fork") and sys.platform != "darwin"  # its frameworks do not survive one
    if not can_fork or not entry_points(group=_GROUP, name=_FORKED):
        yield None
        return
    process = Warm(imported(notebooks))
    try:
        yield process
    finally:
        process.close()


def imported(notebooks: Iterable[Path]) -> list[str]:
    """
    Name the modules that notebooks import, each once, in order.

    A name imported from a module may be a module itself, so it is named too.
    """
    names: dict[str, None] = {}
    for path in notebooks:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "code":
                continue
            with contextlib.suppress(SyntaxError):  # magic commands: nothing to learn here
                for node in ast.walk(ast.parse(cell.source)):
                    if isinstance(node, ast.Import):
                        names |= {alias.name: None for alias in node.names}
                    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                        names[node.module] = None
                        names |= {f"{node.module}.{alias.name}": None for alias in node.names}
    return list(names)


class Forked(LocalProvisioner):
    """Gives `Kernel` a process that is forked from its warm one; the rest is jupyter_client's own."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        """Fork instead of starting the command, of which only the arguments after the module are used."""
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        pid = self.parent.warm.fork(arguments, cwd=str(kwargs["cwd"]), env=dict(kwargs["env"]))
        self.process = _Process(pid)
        self.pid = self.pgid = pid
        return self.connection_info


class _Process:
    """What `LocalProvisioner` asks of a process, for one that is not a child of this one."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        except ProcessLookupError:
            self._handle, self.pid = None, 0  # gone already

    def poll(self) -> int | None:
        """None while it runs; its exit code is its parent's to know, so 0 afterwards."""
        if not self.pid:
            return 0
        if self._handle is not None:
            return 0 if select.select([self._handle], [], [], 0)[0] else None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def wait(self) -> int:
        """Release the handle of a process that has ended."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self.pid = 0
        return 0

    def send_signal(self, signum: int) -> None:
        """Send a signal to it if it is there."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)
