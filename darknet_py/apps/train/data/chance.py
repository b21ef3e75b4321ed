"""Random numbers by name: each sample, and each part of one, has its own, whoever asks and however often.

Decision: only `Generator.random()` decides anything, because its numbers are the same in every version of NumPy. (The
noise of `gaussian_noise=` is NumPy's normal distribution.)
"""

from __future__ import annotations

import numpy as np

# What numbers are for, the first of those that follow the seed.
SAMPLES, PARTS, NOISE, SIZES = range(1, 5)


def chances(seed: int, *place: int) -> np.random.Generator:
    """The random numbers of a place: of numbers from 0 on that say what they are for.

    >>> float(chances(1, SAMPLES, 7).random()) == float(chances(1, SAMPLES, 7).random())
    True
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, *place))))
