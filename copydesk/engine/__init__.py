"""Engines: submit requests, get completions as they finish. One module per backend."""
