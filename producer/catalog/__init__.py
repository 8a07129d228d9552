"""Catalog files: read what comes in, write back in the dialect that came in."""
