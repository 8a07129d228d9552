"""Names that go over the wire. Code may be renamed; these may not, while messages are in the broker."""

CATALOG, REPLIES, UPKEEP = "catalog", "replies", "upkeep"

DESCRIBE_CHUNK = "copydesk.describe_chunk"
SWEEP = "copydesk.sweep"
NIGHTLY = "copydesk.nightly"

ROUTES = {
    DESCRIBE_CHUNK: {"queue": CATALOG},
    SWEEP: {"queue": UPKEEP},
    NIGHTLY: {"queue": UPKEEP},
}
