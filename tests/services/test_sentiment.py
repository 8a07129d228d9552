"""The classifier in a real worker: opened in a process of its own by the first chunk, closed with the worker."""

from pathlib import Path

import pytest

from copydesk.model import Platform, Policy, Review, Reviewer, Route, Triage
from copydesk.store import Database, products, reviews
from copydesk.triage.sentiment import sentiment
from services.conftest import OpenDesk
from services.desks import Desk, marked, until

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "lovely", "broken"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of some thousand parameters."""
    transformers = pytest.importorskip("transformers", reason="needs the worker extra")
    tokenizers = pytest.importorskip("tokenizers", reason="needs the worker extra")
    pytest.importorskip("torch", reason="needs the worker extra")
    folder = tmp_path_factory.mktemp("bert")
    words = tokenizers.models.WordPiece({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]")
    fast = tokenizers.Tokenizer(words)
    fast.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=fast, **marks).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=32, id2label={0: "negative", 1: "neutral", 2: "positive"},
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def take_in(desk: Desk, number: int) -> None:
    database = Database(desk.database_url)
    some = [Review(f"r{place}", "A lovely mug.", Platform.OWN, reviewer=Reviewer("Ann")) for place in range(number)]
    found = [Triage("en", "", one.text, Route.ORDINARY, sentiment(one.text, "en"), (), Policy.DRAFT) for one in some]
    with database.write() as connection:
        reviews.take_in(connection, products.add_shop(connection, "acme"), list(zip(some, found, strict=True)))
    database.close()


def engines(desk: Desk) -> list[str]:
    """What the engine processes of this desk open."""
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in marked(desk.folder)]
    return sorted(line[-2].decode() for line in lines if b"copydesk.engine.child" in line)


def test_reviews_are_judged_by_the_classifier_that_the_first_chunk_opens(open_desk: OpenDesk, checkpoint: Path) -> None:
    desk = open_desk(sentiment=f'{{"model": "{checkpoint}", "device": "cpu"}}', chunk_size=4)
    desk.start_broker()
    worker = desk.start_worker()
    take_in(desk, 10)
    assert engines(desk) == ["engine"]

    told = desk.json("sentiment", "--shop", "acme", "--wait", seconds=120)

    assert (told["queued"], told["ready"], told["failed"]) == (10, 10, 0)
    assert desk.query("SELECT DISTINCT sentiment_by FROM reviews") == [(str(checkpoint),)]
    assert engines(desk) == ["classifier", "engine"], "one for all chunks"
    assert desk.json("sentiment", "--shop", "acme")["queued"] == 0
    assert worker.stop() == 0
    until("both processes have ended", lambda: not engines(desk))
