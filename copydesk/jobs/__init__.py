"""One module per kind of work. Each reads: read, ask, judge, write."""
