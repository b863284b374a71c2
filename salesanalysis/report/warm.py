"""
The warm process: it has imported what notebooks use, and forks a kernel from itself for each request.

Started by `kernels.Warm` with one end of a socket pair. Each line it reads is a request in JSON: ``argv`` of
ipykernel, ``cwd`` and ``env``; each line it writes says the ``pid`` of the kernel. When the runner goes away it kills
all kernels and ends, so that none is left alone.

It must have one thread only when it forks: no database connection is opened here, nor a pool of threads.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SET_PARENT_DEATH_SIGNAL = 1  # linux/prctl.h

_KERNEL_MODULES = (  # what a kernel imports when it starts; the debugger's alone take half of that time
    *(
        "ipykernel.ipkernel",
        "ipykernel.kernelapp",
        "ipykernel.debugger",
        "IPython.core.completerlib",
    ),
    *("IPython.extensions.storemagic", "tornado.platform.asyncio", "zmq.utils.garbage"),
)
_ALLOCATIONS = (
    50_000  # between two collections of garbage; a notebook makes little of it, and ends soon
)
FIGURE_WORDS = "0123456789 %–"  # drawn once, so that every kernel has the fonts


def main(descriptor: int, modules: Sequence[str]) -> None:
    """Import the modules, then serve requests until the other end is closed."""
    _warm_up(modules)
    with socket.socket(fileno=descriptor) as runner:
        runner.sendall(_line({"n_threads": _n_threads()}))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's to handle
        signal.signal(
            signal.SIGCHLD, _reap
        )  # so that what kernels used is known to whoever started this
        kernels = []
        requests = runner.makefile("rb")
        for request in requests:
            asked = json.loads(request)
            pid = os.fork()
            if pid == 0:
                requests.close()
                runner.close()
                _become_kernel(asked)
            kernels.append(pid)
            runner.sendall(_line({"pid": pid}))
    for pid in kernels:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _reap(*_: Any) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _n_threads() -> int:
    """Threads of this process; where the system does not tell, those that Python knows."""
    with contextlib.suppress(OSError):
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    return threading.active_count()


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def _warm_up(modules: Sequence[str]) -> None:
    """Import, and use once what fills caches, everything that the notebooks will."""
    from matplotlib.figure import Figure

    from salesanalysis.present import html, svg

    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # of debugging, which nobody does here
    for module in (*_KERNEL_MODULES, *modules):
        with contextlib.suppress(ImportError):  # the notebook will say so itself
            importlib.import_module(module)
    axes = Figure().subplots()
    axes.set_title(FIGURE_WORDS)
    svg.svg(axes, name="warm", alt=FIGURE_WORDS)
    html.answer(message="", truth=[], cards=[{"label": "", "value": ""}] * 3)
    gc.collect()
    gc.freeze()  # pages that no collection touches stay shared


def _die_with_parent() -> None:
    """Have the system kill this process if the warm one is killed, which could not kill it then (Linux only)."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _become_kernel(asked: dict[str, Any]) -> None:
    """Turn this fork into a kernel; never returns."""
    code = 1
    try:
        os.setsid()
        gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])
        _die_with_parent()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if random := sys.modules.get("numpy.random"):
            random.seed()  # Python's own generator sees to itself
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["env"])
        silent = os.open(os.devnull, os.O_RDWR)
        os.dup2(silent, 0)
        sys.argv = ["ipykernel_launcher", *asked["argv"]]
        from ipykernel.kernelapp import IPKernelApp

        IPKernelApp.launch_instance(asked["argv"])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        os._exit(code)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), sys.argv[2:])
    except (BrokenPipeError, ConnectionResetError):
        pass  # the runner went away
    finally:
        os._exit(0)  # nothing here is worth tidying up
