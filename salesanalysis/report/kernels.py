"""The Jupyter kernel a notebook runs in: this very Python, in a state that is always the same."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


class Kernel(AsyncKernelManager):
    """
    A kernel of the Python that runs the reports, whatever kernels are installed beside it.

    It has its own folder for sockets, as ports are sometimes taken by another kernel, and for
    IPython's profile, so that no start-up file of a user changes a report.
    """

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
            ],
            display_name="Python 3",
            language="python",
            env={
                "IPYTHONDIR": self._folder.name,
                "MPLBACKEND": "agg",
                "PYTHONHASHSEED": "0",
            },
        )

    async def cleanup_resources(self, restart: bool = False) -> None:
        """Remove the sockets and the folder."""
        await self._async_cleanup_resources(restart)
        if not restart:
            self._folder.cleanup()
