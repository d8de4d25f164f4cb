"""Engines train runs: in this process, in worker processes beside it, or on another machine."""
