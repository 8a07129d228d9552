"""The classifier of a worker: opened by whoever needs it first, once, and closed with the desk."""

import pytest
from answering import Answering
from databases import at_once

from copydesk.errors import ModelError
from tasks.desk import OpenedOnce


class Closing(Answering):
    closed = False

    def close(self) -> None:
        self.closed = True


def test_many_that_need_it_at_once_get_the_same_one() -> None:
    opened: list[Closing] = []

    def open_it(_broken: object) -> Closing:
        opened.append(Closing(lambda request: []))
        return opened[-1]

    once = OpenedOnce(open_it)
    got = at_once([once] * 6)

    assert len(opened) == 1
    assert {id(one) for one in got} == {id(opened[0])}
    once.close()
    assert opened[0].closed


def test_nothing_is_opened_to_be_closed() -> None:
    def refuse(_broken: object) -> Closing:
        raise AssertionError("nobody needed it")

    OpenedOnce(refuse).close()


def test_after_one_that_cannot_be_opened_or_cannot_go_on_another_is_opened() -> None:
    answers = iter([ModelError("not found"), Closing(lambda request: []), Closing(lambda request: [])])
    broken = []

    def open_it(on_broken: object) -> Closing:
        broken.append(on_broken)
        answer = next(answers)
        if isinstance(answer, ModelError):
            raise answer
        return answer

    once = OpenedOnce(open_it)  # type: ignore[arg-type]
    with pytest.raises(ModelError):
        once()
    first = once()
    assert once() is first
    broken[-1]("it died")  # type: ignore[operator]
    assert once() is not first
