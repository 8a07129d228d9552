"""The trade itself: prompts, guards, engines, the store and the jobs. Knows nothing of the queue."""

__version__ = "0.1.0"
