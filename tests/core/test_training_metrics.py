"""What a training run writes down about itself."""

import sys

import pytest

from consistentid_core.errors import MissingDependencyError
from consistentid_core.training.metrics import require_tensorboard


def test_tensorboard_is_asked_for_before_anything_is_trained(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingDependencyError, match="pip install tensorboard"):
        require_tensorboard()
