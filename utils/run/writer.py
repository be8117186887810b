"""A thread that writes while training continues.

with Writer() as writer:
    writer.put(save_weights, path, deepcopy(model))
"""

import queue
import threading
from collections.abc import Callable

MAX_WAITING = 4  # jobs; the next one waits, so that copies of weights do not fill the memory


class Writer:
    """Does one job after the other, in the order in which they were put.

    Without a thread each job is done where it is put: two threads at once crash torch's MPS
    (https://github.com/pytorch/pytorch/issues/197805).

    After an error no later job is done, and the error is raised where the next one is put or where
    the context ends: a file that depends on an earlier one is never written without it.
    """

    def __init__(self, is_threaded: bool = True):
        self.is_threaded = is_threaded
        self.jobs: queue.Queue = queue.Queue(MAX_WAITING)
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self.work, name="writer", daemon=True)

    def __enter__(self):
        if self.is_threaded:
            self.thread.start()
        return self

    def __exit__(self, kind: type | None, *_):
        if self.is_threaded:
            self.jobs.put(None)
            self.thread.join()
        if kind is None:
            self.check()

    def put(self, function: Callable, *arguments: object) -> None:
        """Have a function called. Its arguments must not change any more: copy what is trained."""
        self.check()
        if self.is_threaded:
            self.jobs.put((function, arguments))
        else:
            function(*arguments)

    def check(self) -> None:
        """Raise the error of an earlier job, if there was one."""
        if self.error is not None:
            raise self.error

    def work(self) -> None:
        """Do the jobs, until there is a None."""
        while (job := self.jobs.get()) is not None:
            function, arguments = job
            if self.error is None:
                try:
                    function(*arguments)
                except BaseException as error:  # whatever it is, it belongs to the main thread
                    self.error = error
            del job, function, arguments  # frees the memory while the thread waits
