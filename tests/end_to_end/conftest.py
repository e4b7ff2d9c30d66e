"""The clusters that these tests run on."""

from tests.end_to_end.clusters import _two_regions, three_regions, two_regions

__all__ = ["_two_regions", "three_regions", "two_regions"]
