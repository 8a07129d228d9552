"""Hugging Face sequence classifiers (BERT and its like) as a backend: a text goes in, its sentiment comes out."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from copydesk.engine.backend import Backend, OutOfMemory, Prompt, PromptRefused, Row, Text, Tick, said
from copydesk.engine.base import Finish, Request
from copydesk.engine.loading import device_of
from copydesk.engine.models import resolve
from copydesk.engine.transformers import named
from copydesk.errors import ModelError
from copydesk.model import Polarity
from copydesk.settings import Settings

NO_LIMIT = 1 << 20
"""Tokenizers that know no longest text name an astronomical number."""

_WORDS = {
    Polarity.POSITIVE: re.compile(r"pos|积极|正面|正向|好评|满意|推荐"),
    Polarity.NEUTRAL: re.compile(r"neu|mixed|中性|中立|中评|一般"),
    Polarity.NEGATIVE: re.compile(r"neg|消极|负面|负向|差评|不满|不推荐"),
}
_STARS = re.compile(r"([1-5])[ _-]?(?:stars?|星)|stars?[ _-]?([1-5])|([一二三四五])星", re.IGNORECASE)
_OF_STARS = dict(zip("12345一二三四五", [-1, -1, 0, 1, 1] * 2, strict=True))
_OF_SIGN = {-1: Polarity.NEGATIVE, 0: Polarity.NEUTRAL, 1: Polarity.POSITIVE}
_UNNAMED = {
    2: (Polarity.NEGATIVE, Polarity.POSITIVE),
    3: (Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE),
}


def open_classifier(settings: Settings) -> Backend:
    """The classifier that `settings.sentiment` names.

    Raises:
        ConfigurationError: there is no such device.
        ModelError: the model cannot be found, fetched or loaded, or its labels are no sentiments.
    """
    chosen = settings.sentiment
    source = resolve(chosen.model, settings.models)
    return ClassifierBackend(source, name=chosen.model, device=chosen.device, width=chosen.batch_size)


class ClassifierBackend:
    """Runs what was added as one batch; see `copydesk.engine.backend.Backend`.

    The text is the last message's content; of one that is longer than the model reads, its beginning is judged. The
    completion is the JSON object {"positive": p, "neutral": p, "negative": p}, probabilities that sum to 1.
    """

    static = True
    capacity_tokens: int | None = None
    width_beside_replies: int | None = None

    def __init__(self, source: Path | str, *, name: str, device: str, width: int) -> None:
        """Load a checkpoint folder or a Hugging Face id; `name` is how sentiments record it.

        Raises as open_classifier does.
        """
        self.model = name
        self.width = width
        self._device = device_of(device, "COPYDESK_SENTIMENT__DEVICE")
        self._tokenizer, self._network = _load(source, self._device)
        self._polarities = polarities(self._network.config.id2label, name)
        self._longest = _longest(self._tokenizer, self._network)
        self._rows: list[Row] = []

    def read(self, request: Request) -> Prompt:
        """The prompt's `data` are its token ids, a tuple."""
        text = request.messages[-1].content
        if not text.strip():
            raise PromptRefused("the text is empty")
        ids = self._tokenizer(text, truncation=True, max_length=self._longest)["input_ids"]
        return Prompt(len(ids), tuple(ids))

    def add(self, row: Row) -> None:
        self._rows.append(row)

    def remove(self, row: Row) -> None:
        self._rows.remove(row)

    def step(self, tick: Tick) -> list[tuple[Row, Text]]:  # noqa: ARG002 - a batch takes a moment
        """Classify every row that was added."""
        if not self._rows:
            return []
        try:
            chances = self._classified([row.prompt.data for row in self._rows])
        except Exception as error:  # whatever torch raises
            raised = named(error)
            if raised is error:
                raise
        else:
            ended = [(row, self._text(of_row)) for row, of_row in zip(self._rows, chances, strict=True)]
            self._rows = []
            return ended
        # Outside the except block: the exception's traceback holds the tensors that did not fit.
        if isinstance(raised, OutOfMemory) and self._device.type == "cuda":
            torch.cuda.empty_cache()
        raise raised

    def close(self) -> None:
        """Nothing to give back."""

    @torch.inference_mode()  # type: ignore[untyped-decorator] # mypy does not follow torch
    def _classified(self, rows: Sequence[tuple[int, ...]]) -> list[list[float]]:
        """The probability of each of the model's labels, [rows, labels]."""
        longest = max(map(len, rows))
        filler = self._tokenizer.pad_token_id or 0
        ids = [[*row, *[filler] * (longest - len(row))] for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        logits = self._network(
            input_ids=torch.tensor(ids, device=self._device), attention_mask=torch.tensor(mask, device=self._device)
        ).logits
        found: list[list[float]] = logits.float().softmax(-1).tolist()
        return found

    def _text(self, chances: Sequence[float]) -> Text:
        sums = dict.fromkeys(Polarity, 0.0)
        for polarity, chance in zip(self._polarities, chances, strict=True):
            sums[polarity] += chance
        return Text(json.dumps({polarity.value: round(chance, 6) for polarity, chance in sums.items()}), Finish.STOP, 0)


def polarities(labels: Mapping[int, str], name: str) -> tuple[Polarity, ...]:
    """What each of a model's labels says, by its words, its stars or, where it has no name, its number.

    Raises:
        ModelError: they are no sentiments.
    """
    ordered = [labels[place] for place in sorted(labels)]
    if all(re.fullmatch(r"(?:label_?)?\d", label, re.IGNORECASE) for label in ordered) and len(ordered) in _UNNAMED:
        return _UNNAMED[len(ordered)]
    found = tuple(polarity for polarity in map(_polarity, ordered) if polarity)
    if len(found) < len(ordered) or not {Polarity.POSITIVE, Polarity.NEGATIVE} <= set(found):
        raise ModelError(
            f"the labels of {name} ({', '.join(ordered)}) are no sentiments: set COPYDESK_SENTIMENT__MODEL to a "
            "classifier with positive and negative ones, or name them in id2label of its config.json"
        )
    return found


def _polarity(label: str) -> Polarity | None:
    if stars := _STARS.search(label):
        return _OF_SIGN[_OF_STARS[next(filter(None, stars.groups()))]]
    plain = label.casefold()
    order = (Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE)  # 不满意 holds 满意
    return next((polarity for polarity in order if _WORDS[polarity].search(plain)), None)


# Loading -------------------------------------------------------------------------------------------------------------


def _load(source: Path | str, device: torch.device) -> tuple[Any, Any]:
    """The tokenizer and the network, in bf16 on a GPU that multiplies it."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    narrow = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        network = _whole(source, torch.bfloat16 if narrow else torch.float32).to(device)
    except Exception as error:  # the library raises OSError, ValueError, KeyError, ImportError and those of safetensors
        raise ModelError(
            f"the classifier {source} cannot be loaded ({said(error)}): set COPYDESK_SENTIMENT__MODEL to the complete "
            "folder or the Hugging Face id of a sequence classifier, and check the network for an id; unset, word "
            "lists do its work"
        ) from error
    return tokenizer, network.eval()


def _whole(source: Path | str, dtype: torch.dtype) -> Any:
    """The network, unless its file lacks tensors: transformers fills those with random numbers, and only logs it."""
    network, loaded = AutoModelForSequenceClassification.from_pretrained(source, output_loading_info=True, dtype=dtype)
    if missing := loaded["missing_keys"]:
        raise ValueError(f"it is no trained classifier, its weights lack {min(missing)}")
    return network


def _longest(tokenizer: Any, network: Any) -> int | None:
    """Tokens that the network reads at most; None where nothing says so."""
    embeddings = getattr(network.base_model, "embeddings", None)
    places = getattr(embeddings, "position_embeddings", None)
    # RoBERTa and its like count places from the one after the padding's.
    padding: int | None = getattr(places, "padding_idx", None)
    before = 0 if padding is None else padding + 1
    own: int = getattr(network.config, "max_position_embeddings", NO_LIMIT)
    limit = min(tokenizer.model_max_length, own - before)
    return limit if limit < NO_LIMIT - before else None
