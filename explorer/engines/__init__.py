"""Who runs a run: this process, a worker process beside it, or another machine."""
