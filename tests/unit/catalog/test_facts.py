import tracemalloc

from producer.catalog.facts import Keys


def test_a_key_is_admitted_once() -> None:
    keys = Keys()

    assert keys.admit(1, "mug", "Mug") is None
    assert "mug" in keys
    assert "pan" not in keys
    refusal = keys.admit(2, "mug", "Mug")
    assert refusal is not None
    assert (refusal.line, refusal.code) == (2, "sku.duplicate")


def test_a_refused_product_does_not_take_its_key() -> None:
    keys = Keys()

    assert keys.admit(1, "mug", " ") is not None
    assert keys.admit(2, "mug", "Mug") is None


def test_a_hundred_thousand_long_keys_take_little_memory() -> None:
    long = "a-handle-as-long-as-shopify-makes-them-of-a-title-with-many-words-"
    tracemalloc.start()
    keys = Keys()
    refused = sum(keys.admit(number, f"{long}{number}", "T") is not None for number in range(100_000))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert refused == 0
    assert used < 20_000_000
