import math

import pytest
import torch

from utils.augment import NUM_UNIFORMS, Strengths, augment
from utils.draws import epoch_draws

NONE = Strengths(*[0] * len(Strengths()))


@pytest.fixture
def x():
    return torch.rand(6, 3, 12, 12, generator=torch.manual_seed(0))
