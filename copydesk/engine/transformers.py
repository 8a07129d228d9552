"""Hugging Face transformers: one model, and the backend that runs it in static batches, on CUDA or a CPU.

It reads from the top: the backend with one batch through the model, then how requests become tokens and tokens texts,
then how a token is picked. paged.py has the backend for continuous batches.
"""

import itertools
import logging
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.cache_utils import DynamicCache, DynamicLayer

from copydesk.engine.backend import (
    Backend,
    Broken,
    OutOfMemory,
    Prompt,
    PromptRefused,
    Row,
    Text,
    Tick,
    context_refusal,
    said,
)
from copydesk.engine.base import Finish, Message, Request
from copydesk.engine.chat import defused, folded, knows_system_role, special_pattern
from copydesk.engine.loading import Loaded, is_out_of_memory, load
from copydesk.engine.sampling import CANDIDATES_TEMPERATURE
from copydesk.settings import Sampling

log = logging.getLogger(__name__)

STATIC_WIDTH = 32
PAGED_WIDTH = 256

WORTH_KEEPING_TOKENS = 32
"""Shorter beginnings are read again with each prompt: keeping them would not pay for copying them."""

KEPT_BEGINNINGS = 16
"""Instructions and examples of the kinds, languages and shops that take turns on one engine."""

TOP_K = 50
"""What transformers takes where nobody names a top_k."""


def open_transformers(
    source: Path | str, *, name: str, device: str, width: int | None, own_sampling: Sampling | None
) -> Backend:
    """Continuous batches on a GPU, where transformers can batch the model so; otherwise static ones.

    Raises:
        ConfigurationError: there is no such device.
        ModelError: the model cannot be found, fetched or loaded.
    """
    from copydesk.engine.paged import CannotPage, PagedTransformersBackend

    loaded = load(source, device)
    if loaded.device.type == "cuda":
        try:
            return PagedTransformersBackend(
                loaded, name=name, device=device, width=width or PAGED_WIDTH, own_sampling=own_sampling
            )
        except CannotPage as error:
            log.warning("%s; it runs in static batches", error)
    return TransformersBackend(loaded, name=name, device=device, width=width or STATIC_WIDTH, own_sampling=own_sampling)


class TransformersBackend:
    """Runs what was added as one batch, to its end; see `copydesk.engine.backend.Backend`.

    Sampling follows the model's own generation settings; a value the request names wins. A temperature of 0 is greedy,
    and so is one that nobody names with a model that does not sample by itself. Several candidates always sample.

    Every row has draws of its own, so a seed repeats a request, whatever the batch it is in; but the arithmetic of a
    batch depends on its shape in the last bits, and where two tokens are as good as equally likely (in bf16 often
    enough to be met) a text may still take another turn in other company. The same holds for greedy texts.
    """

    static = True
    width_beside_replies = None
    capacity_tokens: int | None = None

    def __init__(
        self,
        source: "Path | str | Loaded",
        *,
        name: str,
        device: str,
        width: int,
        own_sampling: Sampling | None,
    ) -> None:
        """Load a checkpoint folder, a .gguf file or a Hugging Face id; `name` is how drafts record it.

        `own_sampling` stands in for the generation settings of a model that comes without any, as a GGUF does.

        Raises:
            ConfigurationError: there is no such device.
            ModelError: the model cannot be found, fetched or loaded.
        """
        self.model = name
        self.width = width
        self._lm = LanguageModel.of(source if isinstance(source, Loaded) else load(source, device), own_sampling)
        self._rows: list[Row] = []
        self._beginnings: dict[tuple[int, ...], Any] = {}  # token ids -> key-value cache, oldest first

    def read(self, request: Request) -> Prompt:
        """The prompt's `data` are its token ids, a tuple."""
        return self._lm.read(request)

    def add(self, row: Row) -> None:
        self._rows.append(row)

    def remove(self, row: Row) -> None:
        self._rows.remove(row)

    def step(self, tick: Tick) -> list[tuple[Row, Text]]:
        """Run every row that was added to its end; ticks once for each token of the longest."""
        if not self._rows:
            return []
        try:
            texts = self._run(self._rows, tick)
        except Exception as error:  # whatever torch raises
            raised = named(error)
            if raised is error:
                raise
        else:
            ended = list(zip(self._rows, texts, strict=True))
            self._rows = []
            return ended
        # Outside the except block: the exception's traceback holds the tensors that did not fit.
        if isinstance(raised, OutOfMemory):
            self._free_memory()
        raise raised

    def close(self) -> None:
        """Nothing to give back."""

    @torch.inference_mode()  # type: ignore[untyped-decorator] # mypy does not follow torch
    def _run(self, rows: Sequence[Row], tick: Tick) -> list[Text]:
        """One batch: what each prompt begins with is read once and kept, the rest is read.

        Both parts are padded on the left, to the longest of their kind.
        """
        before = max(row.prompt.shared for row in rows)
        own = max(len(row.prompt.data) - row.prompt.shared for row in rows)
        padded, mask = [], []
        for row in rows:
            # The mask hides the filler from the model, but not from repetition_penalty: a pad token, often the very
            # token that ends a text, would be punished in the shorter prompts. A prompt's own first token is not.
            ids, shared = row.prompt.data, row.prompt.shared
            gaps = before - shared, own - (len(ids) - shared)
            padded.append([*ids[:1] * gaps[0], *ids[:shared], *ids[:1] * gaps[1], *ids[shared:]])
            mask.append([0] * gaps[0] + [1] * shared + [0] * gaps[1] + [1] * (len(ids) - shared))
        pickers = [self._lm.picker(row) for row in rows]
        output = self._lm.model.generate(
            input_ids=torch.tensor(padded, device=self._lm.device),
            attention_mask=torch.tensor(mask, device=self._lm.device),
            past_key_values=self._begun(rows, before) if before else None,
            # The pickers sample; to generate() it looks greedy.
            logits_processor=[_Picking(pickers)] if any(picker.samples for picker in pickers) else [],
            stopping_criteria=[_Limits(rows, before + own, tick)],
            generation_config=GenerationConfig(
                max_new_tokens=max(row.request.sampling.max_tokens for row in rows),
                do_sample=False,
                num_beams=1,
                repetition_penalty=pickers[0].repetition_penalty,
                eos_token_id=list(self._lm.eos_ids) or None,
                pad_token_id=self._pad_id(),
            ),
        )
        made = output[:, before + own :].tolist()
        return [self._lm.text(ids[: row.request.sampling.max_tokens]) for row, ids in zip(rows, made, strict=True)]

    def _begun(self, rows: Sequence[Row], width: int) -> DynamicCache:
        """The key-value cache of a batch whose beginnings have been read, padded on the left to `width` tokens."""
        kept = {_beginning(row): self._kept(_beginning(row)) for row in rows if row.prompt.shared}
        cache = DynamicCache(config=self._lm.model.config)
        for number, layer in enumerate(next(iter(kept.values())).layers):
            shape = (len(rows), layer.keys.shape[1], width, layer.keys.shape[3])
            keys, values = layer.keys.new_zeros(shape), layer.values.new_zeros(shape)
            for place, row in enumerate(rows):
                if shared := row.prompt.shared:
                    keys[place, :, width - shared :] = kept[_beginning(row)].layers[number].keys[0]
                    values[place, :, width - shared :] = kept[_beginning(row)].layers[number].values[0]
            cache.update(keys, values, number)
        return cache

    def _kept(self, beginning: tuple[int, ...]) -> Any:
        """A beginning's key-value cache; read by the model the first time."""
        if beginning not in self._beginnings:
            ids = torch.tensor([beginning], device=self._lm.device)
            read = self._lm.model(ids, use_cache=True, logits_to_keep=1).past_key_values
            if len(self._beginnings) == KEPT_BEGINNINGS:
                del self._beginnings[next(iter(self._beginnings))]
            self._beginnings[beginning] = read
        return self._beginnings[beginning]

    def _free_memory(self) -> None:
        self._beginnings.clear()
        if self._lm.device.type == "cuda":
            torch.cuda.empty_cache()

    def _pad_id(self) -> int:
        """What fills a row after its end; any id will do, since the row is cut at its end."""
        pad_id: int | None = self._lm.tokenizer.pad_token_id
        return pad_id if pad_id is not None else next(iter(self._lm.eos_ids), 0)


def _beginning(row: Row) -> tuple[int, ...]:
    ids: tuple[int, ...] = row.prompt.data[: row.prompt.shared]
    return ids


@dataclass(frozen=True, slots=True)
class _Limits:
    """A stopping criterion: each row ends at its own limit. generate() asks it after every token."""

    rows: Sequence[Row]
    read: int  # tokens before the first one that was generated
    tick: Tick

    def __call__(self, input_ids: torch.Tensor, _scores: torch.Tensor, **_options: Any) -> torch.Tensor:
        now = time.monotonic()
        for row in self.rows:
            row.first_token_at = row.first_token_at or now
        self.tick()
        made = input_ids.shape[1] - self.read
        over = [made >= row.request.sampling.max_tokens for row in self.rows]
        return torch.tensor(over, device=input_ids.device)


@dataclass(frozen=True, slots=True)
class _Picking:
    """A logits processor that leaves each row only the token that its picker picks."""

    pickers: Sequence["Picker"]

    def __call__(self, _input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return only(picked(scores, self.pickers), scores)


def named(error: Exception) -> Exception:
    """What torch raised, as what the loop knows: OutOfMemory, Broken, or just the error itself."""
    if is_out_of_memory(error):
        return OutOfMemory(said(error))
    if isinstance(error, torch.AcceleratorError) or "CUDA error:" in str(error):  # every later call fails as well
        return Broken(said(error))
    return error


# Requests to tokens, tokens to texts --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A loaded model and what it takes to talk to it."""

    model: Any
    tokenizer: Any
    device: torch.device
    special: re.Pattern[str] | None
    fold_system: bool
    eos_ids: tuple[int, ...]
    context: int | None  # tokens
    shareable: bool

    @classmethod
    def of(cls, loaded: Loaded, own_sampling: Sampling | None) -> "LanguageModel":
        """`own_sampling` becomes the model's own; what it leaves open stays as it is."""
        model, tokenizer = loaded.model, loaded.tokenizer
        added = tokenizer.added_tokens_decoder.values()
        knows = knows_system_role(lambda messages: _render(tokenizer, messages))
        if own_sampling is not None:
            model.generation_config.update(**_as_own(own_sampling))
        return cls(
            model=model,
            tokenizer=tokenizer,
            device=loaded.device,
            special=special_pattern(token.content for token in added if token.special),
            fold_system=bool(tokenizer.chat_template) and not knows,
            eos_ids=_eos_ids(model, tokenizer),
            context=getattr(model.config.get_text_config(), "max_position_embeddings", None),
            shareable=_keeps_plain_keys(model),
        )

    def read(self, request: Request) -> Prompt:
        """A request's prompt; its `data` are its token ids, a tuple. Raises PromptRefused."""
        ids, shared = self._encoded(request)
        if refusal := context_refusal(len(ids), request.sampling.max_tokens, self.context):
            raise PromptRefused(refusal)
        return Prompt(len(ids), ids, shared)

    def picker(self, row: Row) -> "Picker":
        """How this row's tokens are picked."""
        sampling, own = row.request.sampling, self.model.generation_config
        return Picker(
            temperature=_temperature(sampling, row.request.candidates > 1, own),
            top_k=_first(sampling.top_k, own.top_k, TOP_K),
            top_p=_first(sampling.top_p, own.top_p, 1.0),
            min_p=_first(own.min_p, 0.0),
            repetition_penalty=_first(sampling.repetition_penalty, own.repetition_penalty, 1.0),
            draws=random.Random(row.seed),  # noqa: S311 - a seed shall repeat them
        )

    def text(self, ids: Sequence[int]) -> Text:
        """Cut a row at its end. The ending token counts as generated; what follows it is padding."""
        end = next((place for place, token in enumerate(ids) if token in self.eos_ids), None)
        tokens = len(ids) if end is None else end + 1
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        text = text.strip().rstrip("\ufffd")  # the token limit may cut a Chinese character in two
        return Text(text, Finish.LENGTH if end is None else Finish.STOP, tokens)

    def _encoded(self, request: Request) -> tuple[tuple[int, ...], int]:
        """Token ids, and how many of them come before the request's last message."""
        if not self.tokenizer.chat_template:
            return tuple(self.tokenizer(defused(request.plain, self.special))["input_ids"]), 0
        messages = [Message(message.role, defused(message.content, self.special)) for message in request.messages]
        if self.fold_system:
            messages = folded(messages)
        ids = self._tokens(_render(self.tokenizer, messages))
        return ids, self._shared(messages, ids) if self.shareable and len(messages) > 1 else 0

    def _shared(self, messages: Sequence[Message], ids: tuple[int, ...]) -> int:
        """How many tokens come before the last message: instructions and examples, the same for other products."""
        try:
            before_last = self._tokens(_render(self.tokenizer, messages[:-1], ask=False))
        except Exception:  # a template may refuse a conversation without its last message
            return 0
        pairs = zip(ids[:-1], before_last, strict=False)  # the model needs at least one token to read
        shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        return shared if shared >= WORTH_KEEPING_TOKENS else 0

    def _tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])  # the template wrote them already


def _render(tokenizer: Any, messages: Sequence[Message], *, ask: bool = True) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    # Templates of models that think aloud (Qwen3) know enable_thinking; the others ignore it.
    text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask, enable_thinking=False)
    return text


def _eos_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every token that ends a text; a chat model's tokenizer often names one that its generation config forgot."""
    own = model.generation_config.eos_token_id
    ending = [*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id]
    return tuple(dict.fromkeys(token for token in ending if token is not None))


def _keeps_plain_keys(model: Any) -> bool:
    """Can what two prompts begin with be read once for both? Not with a sliding window or a recurrent state."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)


# How a token is picked ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Picker:
    """How the tokens of one row are picked, with nothing left open. `temperature` 0 is greedy, `top_k` 0 no limit."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float  # applied by whoever knows the row's tokens so far
    draws: random.Random

    @property
    def samples(self) -> bool:
        return self.temperature > 0


def _as_own(sampling: Sampling) -> dict[str, Any]:
    """What `sampling` names, as a model's generation settings write it."""
    names = ("temperature", "top_p", "top_k", "repetition_penalty")
    given = {name: value for name in names if (value := getattr(sampling, name)) is not None}
    return given if sampling.temperature is None else {**given, "do_sample": sampling.temperature > 0}


def _temperature(sampling: Sampling, several: bool, own: GenerationConfig) -> float:
    """0 if the row is greedy; several candidates never are."""
    asked = sampling.temperature
    if asked is None and own.do_sample:
        asked = _first(own.temperature, 1.0)
    if not asked and several:
        asked = own.temperature or CANDIDATES_TEMPERATURE
    return asked or 0.0


def _first(*values: Any) -> Any:
    """The first value that somebody named."""
    return next(value for value in values if value is not None)


def picked(scores: torch.Tensor, pickers: Sequence[Picker]) -> torch.Tensor:
    """The next token ids [rows], of logits [rows, vocabulary]; each picker draws once for its row."""
    best = scores.argmax(-1)
    if not any(picker.samples for picker in pickers):
        return best

    def column(values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values, device=scores.device).unsqueeze(1)

    limits = [picker.top_k or scores.shape[1] for picker in pickers]
    most = min(scores.shape[1], max(limit for limit, picker in zip(limits, pickers, strict=True) if picker.samples))
    likeliest, ids = scores.float().topk(most)  # the likeliest comes first
    likeliest = likeliest / column([picker.temperature or 1.0 for picker in pickers])
    beyond = torch.arange(most, device=scores.device) >= column(limits)
    chances = likeliest.masked_fill(beyond, -torch.inf).softmax(-1)
    likelier = chances.cumsum(-1) - chances
    kept = (likelier < column([picker.top_p for picker in pickers])) & (
        chances >= chances[:, :1] * column([picker.min_p for picker in pickers])
    )
    reached = (chances * kept).cumsum(-1)
    draws = reached[:, -1:] * column([picker.draws.random() for picker in pickers])
    places = (reached > draws).int().argmax(-1, keepdim=True)  # rounding may leave none: then it is the likeliest
    samples = torch.tensor([picker.samples for picker in pickers], device=scores.device)
    return torch.where(samples, ids.gather(1, places).squeeze(1), best)


def only(tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Logits shaped like `scores` that leave each row one token; `tokens` are ids [rows]."""
    return torch.full_like(scores, -torch.inf).scatter_(1, tokens.unsqueeze(1), 0.0)
