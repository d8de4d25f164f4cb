"""Asks a child what only a process with the plugins' code can answer.

The child answers one question after the other, each within a time limit. One that hangs, dies or is
ended is replaced before the next question, so whoever asks next waits for little.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from explorer.engines.children import Child, ChildError, Nursery, status_text
from explorer.engines.questions import Answer
from explorer.errors import ExplorerError
from explorer.language import english, say
from explorer.settings import Settings

QUEUE_SECONDS = 60.0  # that a question waits for those before it
REMEMBERED_SECONDS = 600.0  # that a question which hung is not asked again
JOB = "explorer.engines.answering:answer_questions"

_log = logging.getLogger(__name__)


class AnswerError(ExplorerError, RuntimeError):
    """A question has no answer; the message says why.

    Attributes:
        trace: The traceback in the child; may be empty.
    """

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace


class SlowAnswerError(AnswerError):
    """The answer took longer than it may."""


class LostAnswerError(AnswerError):
    """The child ended in place of an answer.

    Attributes:
        status: Its exit status, negative for the signal that ended it.
        output: What it printed.
    """

    def __init__(self, message: str, status: int | None, output: str) -> None:
        super().__init__(message)
        self.status, self.output = status, output


class Asker:
    """The server's side of a child that answers questions.

    Args:
        name: What it is for, in the log.
        nursery: Where the child comes from.
        settings: Folders, and the database.
        memory: How many MB the child may use; `None` for as many as there are.
        prepare: Called with each new child before its first question.
    """

    def __init__(
        self,
        name: str,
        nursery: Nursery,
        settings: Settings,
        memory: int | None = None,
        prepare: Callable[["Asker"], None] | None = None,
    ) -> None:
        self._name, self._nursery, self._settings = name, nursery, settings
        self._memory, self._prepare = memory, prepare
        self._turn = threading.RLock()
        self._child: Child | None = None
        self._hung: dict[Hashable, float] = {}
        self._is_abandoned = False
        self.restarts = 0

    def ask(
        self, question: str, *args: object, seconds: float | None, about: Hashable = None
    ) -> Any:
        """Return the answer to a question of the child's desk.

        Args:
            question: The name of the question.
            args: What can be pickled.
            seconds: How long the answer may take; `None` for as long as it does.
            about: If it takes longer, no question about the same is asked for a while.

        Raises:
            SlowAnswerError: It took longer, now or a short while ago.
            LostAnswerError: The child ended in place of an answer.
            AnswerError: It failed, or so many others ask that it was never asked.
        """
        self._refuse_what_hung(about)
        if not self._turn.acquire(timeout=QUEUE_SECONDS):
            raise AnswerError(say("Too many ask at once; try again in a minute."))
        try:
            return self._ask(question, args, seconds, about)
        finally:
            self._turn.release()

    def restart(self) -> None:
        """Begin with a new child at the next question, in which nothing is loaded yet."""
        with self._turn:
            self._hung.clear()
            if self._child:
                self._child.close()
                self._child = None

    def abandon(self) -> None:
        """End the child at once, whoever waits for its answer."""
        self._is_abandoned = True
        if child := self._child:
            child.kill()

    def _ask(self, question: str, args: object, seconds: float | None, about: Hashable) -> Any:
        child = self._living_child()
        try:
            child.send((question, args))
            answer = child.receive(seconds)
        except TimeoutError:
            child.close()
            if about is not None:
                self._hung[about] = time.monotonic()
            _log.error("%s took longer than %g s in the %s", question, seconds, self._name)
            raise SlowAnswerError(
                say(
                    "The answer takes longer than {seconds:g} s, which is the limit here.",
                    seconds=seconds or 0,
                )
            ) from None
        except ChildError as error:
            child.close()
            output = child.output.text(whole=True)
            level = logging.INFO if self._is_abandoned else logging.ERROR
            ended = status_text(error.status)
            _log.log(level, "The %s ended (%s). %s", self._name, english(ended), output)
            raise LostAnswerError(
                say("The process that runs its code ended ({status}).", status=ended),
                error.status,
                output,
            ) from error
        except BaseException:
            child.close()  # its answer would be taken for that of the next question
            raise
        assert isinstance(answer, Answer)
        if answer.reason:
            raise AnswerError(answer.reason, answer.trace)
        return answer.value

    def _living_child(self) -> Child:
        if self._child is None or not self._child.is_alive:
            self.restarts += self._child is not None
            self._child = self._nursery.start(JOB, self._settings, self._memory)
            if self._prepare:
                self._prepare(self)
        return self._child

    def _refuse_what_hung(self, about: Hashable) -> None:
        """Refuse what hung a short while ago, so that it does not hold up others again and again.

        Raises:
            SlowAnswerError: It did, not long ago.
        """
        if time.monotonic() - self._hung.get(about, -REMEMBERED_SECONDS) < REMEMBERED_SECONDS:
            raise SlowAnswerError(
                say(
                    "The answer took too long when it was last asked for; try again in ten minutes."
                )
            )
