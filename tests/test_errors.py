import os
import signal
import threading

import pytest

from kanbefair.errors import INTERRUPTED, DoneInPart, InputError, exit_status


def bad_input():
    raise InputError("seeds is -1; give 0 or more")


def test_bad_input_is_one_sentence_and_exit_2(capsys):
    assert exit_status(bad_input) == 2
    assert capsys.readouterr().err == "error: seeds is -1; give 0 or more\n"


def test_work_that_failed_in_part_is_one_sentence_and_exit_1(capsys):
    def work():
        raise DoneInPart("2 of 4 runs failed")

    assert exit_status(work) == 1
    assert capsys.readouterr().err == "error: 2 of 4 runs failed\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_interrupts_and_later_ones_do_not_disturb_the_tidying_up(number, status, capsys):
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    tidied = []

    def work():
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            tidied.append(True)

    assert exit_status(work) == status
    assert tidied == [True]
    assert capsys.readouterr().err == f"{INTERRUPTED}\n"
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert exit_status(lambda: signal.raise_signal(signal.SIGINT)) == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interruption_without_a_signal_is_that_of_ctrl_c(capsys):
    def work():
        raise KeyboardInterrupt

    assert exit_status(work) == 130


def test_a_thread_leaves_the_signals_alone():
    heard = []
    thread = threading.Thread(target=exit_status, args=(lambda: heard.append(signal.getsignal(signal.SIGTERM)),))
    before = signal.getsignal(signal.SIGTERM)
    thread.start()
    thread.join()
    assert heard == [before]


def test_another_error_is_shown_whole():
    with pytest.raises(ZeroDivisionError):
        exit_status(lambda: os.getpid() / 0)


def test_who_has_told_of_the_interruption_is_believed(capsys):
    class Told(SystemExit, KeyboardInterrupt):
        pass

    def work():
        raise Told(130)

    with pytest.raises(SystemExit, match="130"):
        exit_status(work)
    assert capsys.readouterr().err == ""
