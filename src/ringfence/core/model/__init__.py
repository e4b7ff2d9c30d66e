"""The words of Ringfence as values. Pure: no I/O, no clock, no environment; no knowledge of AWS's calls."""
