"""The Jupyter kernel a notebook runs in: this very Python, in a state that is always the same."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

from salesanalysis.report.readers import KEY

START_SECONDS = 60
"""A kernel that has not answered by then is taken for dead."""


class Kernel(AsyncKernelManager):
    """
    A kernel of the Python that runs the reports, whatever kernels are installed beside it.

    It has its own folder for sockets, as ports are sometimes taken by another kernel, and for
    IPython's profile, so that no start-up file of a user changes a report.
    """

    conversation: AsyncKernelClient
    """The one client, from `started`: a new one for each page would wait for the kernel again."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._folder = tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
        if os.name == "posix":
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
            env={
                "IPYTHONDIR": self._folder.name,
                "MPLBACKEND": "agg",
                "PYTHONHASHSEED": "0",
            },
        )

    async def open(self, folder: Path) -> None:
        """Start the process in its working folder, and wait for its first answer."""
        # Whoever reads a notebook's outputs must not be able to find other people's folders.
        environment = {name: value for name, value in os.environ.items() if name != KEY}
        await self.start_kernel(cwd=str(folder), env=environment)
        self.conversation = self.client()
        self.conversation.start_channels()
        await self.conversation.wait_for_ready(timeout=START_SECONDS)
        self.conversation.allow_stdin = False

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


@contextmanager
def started(folder: Path) -> Iterator[Kernel]:
    """
    Give a kernel that works in a folder, gone at the end, whatever happens.

    Raises
    ------
    RuntimeError
        The kernel did not answer.
    """
    kernel = Kernel()
    is_well = False
    try:
        run_sync(kernel.open)(folder)
        yield kernel
        is_well = True
    finally:
        run_sync(kernel.close)(now=not is_well)
