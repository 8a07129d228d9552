"""Names that go over the wire. Code may be renamed; these may not, while messages are in the broker."""

CATALOG, REPLIES, UPKEEP = "catalog", "replies", "upkeep"

# Copy of every kind; there were only descriptions when it was named.
DESCRIBE_CHUNK, BATCH_CHUNK = "copydesk.describe_chunk", "copydesk.batch_chunk"
REPLY_CHUNK, SENTIMENT_CHUNK = "copydesk.reply_chunk", "copydesk.sentiment_chunk"
SWEEP, CLEAN = "copydesk.sweep", "copydesk.clean"
NIGHTLY = "copydesk.nightly"

ROUTES = {
    # Where somebody waits for the run, the relay sends its chunks to REPLIES instead.
    DESCRIBE_CHUNK: {"queue": CATALOG},
    BATCH_CHUNK: {"queue": CATALOG},
    REPLY_CHUNK: {"queue": REPLIES},
    SENTIMENT_CHUNK: {"queue": CATALOG},
    SWEEP: {"queue": UPKEEP},
    CLEAN: {"queue": UPKEEP},
    NIGHTLY: {"queue": UPKEEP},
}
