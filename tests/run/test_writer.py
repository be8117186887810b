import threading
import time

import pytest

from utils.run.writer import MAX_WAITING, Writer


def test_jobs_are_done_in_order_in_another_thread():
    done = []
    with Writer() as writer:
        for number in range(20):
            writer.put(lambda n: done.append((n, threading.current_thread().name)), number)
    assert done == [(number, "writer") for number in range(20)]


def test_an_error_ends_the_context_and_no_later_job_is_done():
    done, gate = [], threading.Event()

    def fail():
        gate.wait()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), Writer() as writer:
        writer.put(fail)
        writer.put(done.append, "too late")
        gate.set()
    assert done == []


def test_an_error_is_raised_where_the_next_job_is_put():
    with pytest.raises(FloatingPointError), Writer() as writer:
        writer.put(lambda: (_ for _ in ()).throw(FloatingPointError()))
        while writer.error is None:
            time.sleep(0.001)
        with pytest.raises(FloatingPointError):
            writer.put(print)


def test_an_error_of_the_main_thread_lets_the_writer_finish():
    done = []
    with pytest.raises(KeyError), Writer() as writer:
        writer.put(time.sleep, 0.05)
        writer.put(done.append, 1)
        raise KeyError
    assert done == [1]


def test_so_many_jobs_wait_and_no_more():
    gate, begun, num_put = threading.Event(), threading.Event(), 0

    def put_many(writer):
        nonlocal num_put
        for _ in range(MAX_WAITING + 5):
            writer.put(int)
            num_put += 1

    with Writer() as writer:
        writer.put(lambda: (begun.set(), gate.wait()))
        begun.wait()
        thread = threading.Thread(target=put_many, args=(writer,))
        thread.start()
        time.sleep(0.1)
        assert num_put == MAX_WAITING
        gate.set()
        thread.join()
    assert num_put == MAX_WAITING + 5


def test_without_a_thread_jobs_are_done_at_once():
    with pytest.raises(OSError), Writer(is_threaded=False) as writer:
        names = []
        writer.put(lambda: names.append(threading.current_thread().name))
        assert names == [threading.current_thread().name]
        writer.put((_ for _ in ()).throw, OSError())
