"""The classifier backend: a small random BERT gives each text three chances, alone or in a batch."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from engines import in_thread

from copydesk.engine.backend import Broken, OutOfMemory, PromptRefused, Row
from copydesk.engine.base import Completion, Finish, Message, Request
from copydesk.engine.hosted import HostedEngine
from copydesk.errors import ConfigurationError, ModelError
from copydesk.model import Polarity
from copydesk.settings import Sampling, SentimentModel, Settings

torch: Any = pytest.importorskip("torch", reason="needs the worker extra")
transformers: Any = pytest.importorskip("transformers", reason="needs the worker extra")
tokenizers: Any = pytest.importorskip("tokenizers", reason="needs the worker extra")
module: Any = pytest.importorskip("copydesk.engine.classifier", reason="needs the worker extra")

POSITIVE, NEUTRAL, NEGATIVE = Polarity
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{c}" for c in "abcdefghij"),
    "好",
]
THREE = {0: "negative", 1: "neutral", 2: "positive"}
STARS = {place: f"{place + 1} star{'s' if place else ''}" for place in range(5)}
LONGEST = 16


def tokenizer(**options: Any) -> Any:
    """WordPiece, as BERT's own."""
    words = {word: place for place, word in enumerate(VOCABULARY)}
    fast = tokenizers.Tokenizer(tokenizers.models.WordPiece(words, unk_token="[UNK]"))
    fast.normalizer = tokenizers.normalizers.BertNormalizer()
    fast.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    fast.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=fast, **special, **options)


def sizes(labels: Mapping[int, str]) -> dict[str, Any]:
    return {
        "vocab_size": len(VOCABULARY), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": LONGEST, "initializer_range": 0.5,
        "id2label": dict(labels), "label2id": {label: place for place, label in labels.items()},
    }  # fmt: skip


def bert(labels: Mapping[int, str] = THREE) -> Any:
    """A random BERT with a head, the same every time."""
    torch.manual_seed(20)
    return transformers.BertForSequenceClassification(transformers.BertConfig(**sizes(labels)))


def save(folder: Path, network: Any, **options: Any) -> Path:
    network.save_pretrained(folder)
    tokenizer(**options).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)  # so small a model gains nothing from threads
    return save(tmp_path_factory.mktemp("bert"), bert())


def opened(checkpoint: Path, width: int = 8) -> Any:
    return module.ClassifierBackend(checkpoint, name="tiny", device="cpu", width=width)


@pytest.fixture
def backend(checkpoint: Path) -> Any:
    return opened(checkpoint)


def ask(text: str, id: str = "") -> Request:
    return Request(id or text, (Message("system", "not read"), Message("user", text)), "", Sampling())


def rows(backend: Any, *texts: str) -> list[Row]:
    return [Row(request, 0, backend.read(request), 0.0) for request in map(ask, texts)]


def classified(backend: Any, *texts: str) -> dict[str, dict[str, float]]:
    for row in rows(backend, *texts):
        backend.add(row)
    return {row.request.id: json.loads(text.text) for row, text in backend.step(lambda: None)}


def test_each_text_gets_three_chances_that_sum_to_one(backend: Any) -> None:
    for chances in classified(backend, "abc", "好 好", "z").values():
        assert list(chances) == ["positive", "neutral", "negative"]
        assert sum(chances.values()) == pytest.approx(1, abs=1e-5)


def test_a_text_is_judged_in_a_batch_as_it_is_alone(backend: Any) -> None:
    texts = ["a", "b c d", "x y z x y z x y z", "好", "a b c d e f g h i j k l m"]
    together = classified(backend, *texts)
    assert len({tuple(chances.values()) for chances in together.values()}) == len(texts)
    for text in texts:
        assert classified(backend, text)[text] == pytest.approx(together[text], abs=1e-5)


def test_only_the_last_message_is_read(backend: Any) -> None:
    assert backend.read(ask("a b")).data == backend.read(Request("1", (Message("user", "a b"),), "", Sampling())).data


def test_of_a_text_that_is_too_long_the_beginning_is_judged(backend: Any) -> None:
    beginning, long = "a b c d e f g h i j k l m n", "a b c d e f g h i j k l m n o p q r s t"
    assert backend.read(ask(long)).tokens == LONGEST
    found = classified(backend, beginning, long)
    assert found[long] == pytest.approx(found[beginning], abs=1e-5)


def test_a_tokenizer_may_know_a_shorter_limit_than_the_network(tmp_path: Path) -> None:
    backend = opened(save(tmp_path, bert(), model_max_length=8))
    assert backend.read(ask("a b c d e f g h i j k l m n")).tokens == 8


def test_a_roberta_reads_two_tokens_less_than_it_has_places(tmp_path: Path) -> None:
    network = transformers.RobertaForSequenceClassification(transformers.RobertaConfig(**sizes(THREE), pad_token_id=1))
    backend = opened(save(tmp_path, network))
    long = "a b c d e f g h i j k l m n o p q r s t"
    assert backend.read(ask(long)).tokens == LONGEST - 2
    assert classified(backend, long)


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_text_is_refused(backend: Any, text: str) -> None:
    with pytest.raises(PromptRefused, match="the text is empty"):
        backend.read(ask(text))


def test_a_removed_text_is_not_judged(backend: Any) -> None:
    gone, stays = rows(backend, "a", "b")
    backend.add(gone)
    backend.add(stays)
    backend.remove(gone)
    assert [row for row, _ in backend.step(lambda: None)] == [stays]
    assert backend.step(lambda: None) == []


def test_an_engine_answers_every_request_with_its_own_chances(backend: Any) -> None:
    texts = [" ".join("abcdefgh"[: 1 + number % 8]) + " z" * (number % 3) for number in range(40)]
    expected = {text: classified(backend, text)[text] for text in set(texts)}
    engine: HostedEngine = in_thread(lambda: backend)
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([ask(text, str(number)) for number, text in enumerate(texts)], inbox.put)
    for completion in [inbox.get(timeout=10) for _ in texts]:
        assert completion.finish is Finish.STOP
        assert json.loads(completion.text) == pytest.approx(expected[texts[int(completion.request_id)]], abs=1e-5)
    engine.close()


@pytest.mark.parametrize(
    ("raised", "known"),
    [
        (lambda: torch.OutOfMemoryError("CUDA out of memory."), OutOfMemory),
        (MemoryError, OutOfMemory),
        (lambda: RuntimeError("CUDA error: device-side assert triggered"), Broken),
        (lambda: ValueError("something else"), ValueError),
    ],
)
def test_what_torch_raises_is_named_for_the_loop(
    backend: Any, monkeypatch: pytest.MonkeyPatch, raised: Callable[[], Exception], known: type[Exception]
) -> None:
    def fail(**tensors: Any) -> None:
        raise raised()

    monkeypatch.setattr(backend, "_network", fail)
    backend.add(rows(backend, "a")[0])
    with pytest.raises(known):
        backend.step(lambda: None)


def test_out_of_memory_is_answered_with_smaller_batches(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    network, sizes = backend._network, []

    def small(input_ids: Any, attention_mask: Any) -> Any:
        sizes.append(len(input_ids))
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return network(input_ids=input_ids, attention_mask=attention_mask)

    monkeypatch.setattr(backend, "_network", small)
    engine: HostedEngine = in_thread(lambda: backend)
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([ask("a b c", str(number)) for number in range(4)], inbox.put)
    assert {inbox.get(timeout=10).finish for _ in range(4)} == {Finish.STOP}
    assert sizes[0] == 4
    engine.close()


# Labels


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["negative", "neutral", "positive"], [NEGATIVE, NEUTRAL, POSITIVE]),
        (["POS", "NEG", "NEU"], [POSITIVE, NEGATIVE, NEUTRAL]),
        (["Very Negative", "Negative", "Neutral", "Positive", "Very Positive"],
         [NEGATIVE, NEGATIVE, NEUTRAL, POSITIVE, POSITIVE]),
        (["1 star", "2 stars", "3 stars", "4 stars", "5 stars"], [NEGATIVE, NEGATIVE, NEUTRAL, POSITIVE, POSITIVE]),
        (["star 1 (negative)", "star 2", "star 3", "star 4", "star 5"],
         [NEGATIVE, NEGATIVE, NEUTRAL, POSITIVE, POSITIVE]),
        (["一星", "二星", "三星", "四星", "五星"], [NEGATIVE, NEGATIVE, NEUTRAL, POSITIVE, POSITIVE]),
        (["正面", "负面"], [POSITIVE, NEGATIVE]),
        (["不满意", "满意"], [NEGATIVE, POSITIVE]),
        (["好评", "中评", "差评"], [POSITIVE, NEUTRAL, NEGATIVE]),
        (["LABEL_0", "LABEL_1"], [NEGATIVE, POSITIVE]),
        (["LABEL_0", "LABEL_1", "LABEL_2"], [NEGATIVE, NEUTRAL, POSITIVE]),
        (["0", "1"], [NEGATIVE, POSITIVE]),
    ],
)  # fmt: skip
def test_labels_are_known_by_words_stars_or_number(labels: list[str], expected: list[Polarity]) -> None:
    assert module.polarities(dict(enumerate(labels)), "x") == tuple(expected)


@pytest.mark.parametrize(
    "labels",
    [["joy", "anger"], ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"], ["positive", "other"], ["neutral", "positive"]],
)
def test_labels_that_are_no_sentiments_are_refused_with_the_remedy(labels: list[str]) -> None:
    with pytest.raises(ModelError, match=rf"{labels[0]}.*set COPYDESK_SENTIMENT__MODEL.*id2label of its config\.json"):
        module.polarities(dict(enumerate(labels)), "x")


def test_the_chances_of_stars_are_added_up(tmp_path: Path) -> None:
    backend = opened(save(tmp_path, bert(STARS)))
    [of_each] = backend._classified([backend.read(ask("a b c")).data])
    chances = classified(backend, "a b c")["a b c"]
    assert chances["positive"] == pytest.approx(of_each[3] + of_each[4], abs=1e-5)
    assert chances["neutral"] == pytest.approx(of_each[2], abs=1e-5)
    assert chances["negative"] == pytest.approx(of_each[0] + of_each[1], abs=1e-5)


# Opening


def test_it_is_opened_as_the_settings_of_sentiment_say(checkpoint: Path) -> None:
    chosen = SentimentModel(model=str(checkpoint), device="cpu", batch_size=3)
    backend = module.open_classifier(Settings(sentiment=chosen))
    assert (backend.model, backend.width, backend.static) == (str(checkpoint), 3, True)


def test_a_device_that_is_not_there_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ConfigurationError, match="COPYDESK_SENTIMENT__DEVICE=warp"):
        module.ClassifierBackend(checkpoint, name="x", device="warp", width=1)


def test_a_model_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    headless = save(tmp_path, bert().bert)
    with pytest.raises(ModelError, match=r"no trained classifier, its weights lack classifier\.bias"):
        opened(headless)


def test_a_folder_that_holds_no_model_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot be loaded.*set COPYDESK_SENTIMENT__MODEL to the complete folder"):
        opened(tmp_path)
