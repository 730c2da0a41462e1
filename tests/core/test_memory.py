"""remember(): each thing is made once for its owners and goes with the first of them that goes."""

import gc
import weakref

import pytest

from consistentid_core.memory import remember


class Owner:
    """Something that can be referred to weakly."""


@pytest.fixture
def made():
    """Every object that was made, weakly: who is gone reads as None."""
    return []


@pytest.fixture
def make(made):
    def make():
        thing = Owner()
        made.append(weakref.ref(thing))
        return thing

    return make


def test_a_thing_is_made_once_for_its_owners(make):
    one, two = Owner(), Owner()
    assert remember("thing", (one, two), make) is remember("thing", (one, two), make)


def test_other_owners_and_other_names_have_things_of_their_own(make, made):
    one, two = Owner(), Owner()
    asked = [
        ("thing", (one,)),
        ("thing", (two,)),
        ("other", (one,)),
        ("pair", (one, two)),
        ("pair", (two, one)),
    ]
    things = [remember(what, owners, make) for what, owners in asked]
    assert len(set(map(id, things))) == len(made) == 5


def test_nothing_is_a_thing_too():
    calls = []
    owner = Owner()
    for _ in range(2):
        assert remember("nothing", (owner,), lambda: calls.append(1)) is None
    assert calls == [1]


@pytest.mark.parametrize("first_to_go", [0, 1])
def test_a_thing_goes_at_once_with_any_of_its_owners(make, made, first_to_go):
    owners = [Owner(), Owner()]
    gc.disable()  # going at once means that no cycle holds it
    try:
        remember("pair", tuple(owners), make)
        assert made[0]() is not None
        del owners[first_to_go]
        assert made[0]() is None
    finally:
        gc.enable()


def test_what_could_not_be_made_is_asked_for_again(make):
    owner = Owner()

    def fail():
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        remember("thing", (owner,), fail)
    assert remember("thing", (owner,), make) is not None
