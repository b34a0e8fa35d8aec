"""Video files in and out: probe with limits, decode once, sample by named policies, encode."""

from a2bench.pictures import Frame
from a2bench.video.encoding import encode
from a2bench.video.kinds import SUFFIXES, kind_of
from a2bench.video.reading import DEFAULT_LIMITS, Limits, decode, probe
from a2bench.video.sampling import sample_indices, sampled

__all__ = [
    "DEFAULT_LIMITS",
    "SUFFIXES",
    "Frame",
    "Limits",
    "decode",
    "encode",
    "kind_of",
    "probe",
    "sample_indices",
    "sampled",
]
