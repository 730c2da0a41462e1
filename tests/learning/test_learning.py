"""Training teaches who somebody is, in a few minutes: the small recipe of docs/learning.md, and its control."""

import pytest

from benchmarks.learning.criteria import CLEAR
from benchmarks.learning.experiment import CUT, SHUFFLED, TRAINED, Experiment, verdicts

SEED = 0


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("learning")


@pytest.fixture(scope="session")
def found(folder):
    """What was measured before, after training, and after training on shuffled identities."""
    return Experiment(CUT, SEED, folder, print).run()


@pytest.mark.parametrize("number", range(4))
def test_training_meets_every_criterion(found, number):
    verdict = verdicts(found["before"], found[TRAINED])[number]
    assert verdict.passed, f"{verdict.criterion}: {verdict.numbers}"


def test_with_shuffled_identities_everything_is_learnt_but_who_somebody_is(found):
    localisation, _, identity, _ = verdicts(found["before"], found[SHUFFLED])
    assert localisation.passed, localisation.numbers
    assert not identity.passed, identity.numbers


def test_before_training_nothing_is_there_to_be_found(found):
    localisation, words, identity, _ = verdicts(found["before"], found["before"])
    assert not localisation.passed and not words.passed and not identity.passed
    assert abs(identity.numbers["t"]) < CLEAR


def test_what_was_done_is_not_done_again(found, folder):
    def say(text):
        raise AssertionError(f"It was there already: {text}")

    assert Experiment(CUT, SEED, folder, say).run() == found
