"""The backend on OpenVINO GenAI's ContinuousBatchingPipeline: the fastest way to run a model on a CPU.

Reads a .gguf file, or a folder that `optimum-cli export openvino` wrote. Beginnings that prompts share are read once:
the pipeline caches prefixes.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openvino_genai

from copydesk.engine import gguf_files
from copydesk.engine.backend import OutOfMemory, Prompt, PromptRefused, Row, Text, Tick, context_refusal
from copydesk.engine.base import Finish, Message, Request
from copydesk.engine.chat import defused, folded, special_pattern
from copydesk.engine.sampling import resolved
from copydesk.engine.scheduling import REPLIES_WIDTH
from copydesk.errors import ModelError
from copydesk.settings import Sampling

WIDTH = 64
WIDTH_BESIDE_REPLIES = 20
"""Catalog rows that decode together; a step takes as long as there are rows. docs/benchmarks.md has the curve."""

BATCHED_TOKENS = 512
"""Tokens that one step works on at most: a long prompt is read in parts, and holds up those who decode only so long."""

LONGEST_PROMPT = 150_000
"""Words; beyond any context that a CPU is asked to read."""

KEY_VALUE_BYTES = 1.07
"""What one number of a cached key or value takes up: OpenVINO keeps them in 8 bits, with a scale for each group."""


class OpenVinoBackend:
    """See `copydesk.engine.backend.Backend`.

    Each row has a random generator of its own, seeded by its request: a text depends on its neighbours no more than a
    greedy one does. A greedy text may differ where two tokens are as likely as each other to within the precision
    (bf16 where the CPU has it, keys and values in 8 bits): sums of another batch are rounded otherwise.

    Args:
        source: a .gguf file or an exported folder.
        name: how drafts record the model.
        cache_gb: memory for keys and values.
        own_sampling: stands in for the generation settings of a model that comes without any, as a GGUF does.
        properties: options of OpenVINO's CPU plugin.

    Raises:
        ModelError: OpenVINO cannot read it.
    """

    static = False
    width_beside_replies = WIDTH_BESIDE_REPLIES

    def __init__(
        self,
        source: Path,
        *,
        name: str = "",
        width: int | None = None,
        cache_gb: int = 2,
        own_sampling: Sampling | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self.model = name or str(source)
        self.width = width or WIDTH
        shape = _shape(source)
        self.capacity_tokens = int(cache_gb * 1e9 / shape.bytes_per_token)
        readable = source if source.is_dir() else gguf_files.exact(source)
        self._pipeline = _load(readable, self.width, cache_gb, properties or {})
        self._tokenizer = self._pipeline.get_tokenizer()
        # Its tokenizer cuts long prompts off without a word; one that reaches that length counts as too long.
        cut_at = int(self._tokenizer.encode("a " * LONGEST_PROMPT).input_ids.shape[1])
        self._context = min(shape.context or cut_at, cut_at)
        self._chats = bool(self._tokenizer.chat_template)
        self._special = special_pattern(_special_words(self._tokenizer))
        self._fold_system = self._chats and not self._knows_system_role()
        self._eos_ids = _eos_ids(self._pipeline, self._tokenizer)
        self._own = own_sampling or _own_sampling(self._pipeline.get_config())
        self._rows: dict[Row, Any] = {}  # and their handles
        self._count = 0

    def read(self, request: Request) -> Prompt:
        """The prompt's token ids, a tensor of (1, tokens)."""
        ids = self._tokenizer.encode(
            self._rendered(request), add_special_tokens=not self._chats, max_length=1 << 30
        ).input_ids
        tokens = int(ids.shape[1])
        if refusal := context_refusal(tokens, request.sampling.max_tokens, self._context):
            raise PromptRefused(refusal)
        return Prompt(tokens, ids)

    def add(self, row: Row) -> None:
        self._count += 1
        self._rows[row] = self._pipeline.add_request(self._count, row.prompt.data, self._config(row))

    def remove(self, row: Row) -> None:
        self._rows.pop(row).cancel()

    def step(self, tick: Tick) -> list[tuple[Row, Text]]:  # noqa: ARG002 - a step takes a fraction of a second
        try:
            self._pipeline.step()
        except RuntimeError as error:
            if "alloc" in str(error).lower() or "memory" in str(error).lower():
                raise OutOfMemory(str(error)) from error
            raise
        now = time.monotonic()
        ended = []
        for row, handle in self._rows.items():
            if not row.first_token_at and handle.can_read():
                row.first_token_at = now
            if handle.get_status() != openvino_genai.GenerationStatus.RUNNING:
                ended.append((row, self._text(handle)))
        for row, _ in ended:
            del self._rows[row]
        return ended

    def close(self) -> None:
        """The process's end gives everything back."""

    def _rendered(self, request: Request) -> str:
        if not self._chats:
            return defused(request.plain, self._special)
        messages = [Message(message.role, defused(message.content, self._special)) for message in request.messages]
        return self._render(folded(messages) if self._fold_system else messages)

    def _render(self, messages: list[Message]) -> str:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        text: str = self._tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, extra_context={"enable_thinking": False}
        )
        return text

    def _knows_system_role(self) -> bool:
        try:
            return "s7q" in self._render([Message("system", "s7q"), Message("user", "u")])
        except Exception:  # a template refuses by raising, in whatever way it likes
            return False

    def _config(self, row: Row) -> Any:
        sampling = resolved(row.request.sampling, self._own, row.request.candidates)
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = row.request.sampling.max_tokens
        config.stop_token_ids = self._eos_ids
        config.repetition_penalty = sampling.repetition_penalty
        config.apply_chat_template = False
        if sampling.temperature:
            config.do_sample = True
            config.temperature = sampling.temperature
            config.top_p = sampling.top_p
            config.rng_seed = row.seed
            if sampling.top_k:
                config.top_k = sampling.top_k
        return config

    def _text(self, handle: Any) -> Text:
        outputs = handle.read_all()
        if handle.get_status() != openvino_genai.GenerationStatus.FINISHED or not outputs:
            return Text("", Finish.FAILED, 0, error="OpenVINO gave the prompt up: raise COPYDESK_KV_CACHE_GB")
        ids = outputs[0].generated_ids
        text = self._tokenizer.decode(ids, skip_special_tokens=True).strip().rstrip("\ufffd")
        cut = outputs[0].finish_reason == openvino_genai.GenerationFinishReason.LENGTH and ids[-1] not in self._eos_ids
        return Text(text, Finish.LENGTH if cut else Finish.STOP, len(ids))


def _load(source: Path, width: int, cache_gb: int, properties: Mapping[str, str]) -> Any:
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = cache_gb
    scheduler.enable_prefix_caching = True
    scheduler.max_num_seqs = width + REPLIES_WIDTH
    scheduler.max_num_batched_tokens = BATCHED_TOKENS
    try:
        return openvino_genai.ContinuousBatchingPipeline(str(source), scheduler, "CPU", dict(properties))
    except Exception as error:  # RuntimeError, IndexError and others, from C++
        first = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
        raise ModelError(
            f"OpenVINO cannot load {source} ({first}): set COPYDESK_ENGINE=transformers, or export the checkpoint "
            "with `optimum-cli export openvino` (docs/operations.md)"
        ) from error


# What a model's own files say ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shape:
    """How many tokens a text may have, and what each takes up in the cache."""

    context: int | None
    bytes_per_token: float


def _shape(source: Path) -> _Shape:
    """Raises ModelError when the files do not say it."""
    try:
        sizes = _sizes_in_config(source / "config.json") if source.is_dir() else gguf_files.sizes(source)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{source} does not say how large its model is ({error!r}): it is damaged") from error
    layers, heads, head_size, context = sizes
    return _Shape(context, layers * heads * head_size * 2 * KEY_VALUE_BYTES)


def _sizes_in_config(file: Path) -> tuple[int, int, int, int | None]:
    config = json.loads(file.read_text("utf-8"))
    config = config.get("text_config", config)
    heads = config["num_attention_heads"]
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    key_value_heads = config.get("num_key_value_heads") or heads
    return config["num_hidden_layers"], key_value_heads, head_size, config.get("max_position_embeddings")


def _special_words(tokenizer: Any) -> list[str]:
    """Tokens that are no text: they decode to nothing. Parts of characters do that too, but are no words."""
    words: dict[bytes, int] = tokenizer.get_vocab()
    decoded = tokenizer.decode([[token] for token in words.values()])
    silent = [word for word, text in zip(words, decoded, strict=True) if not text]
    return [word.decode() for word in silent if re.fullmatch(rb"[!-~]{3,}", word)]


def _eos_ids(pipeline: Any, tokenizer: Any) -> set[int]:
    own = {*pipeline.get_config().stop_token_ids, pipeline.get_config().eos_token_id, tokenizer.get_eos_token_id()}
    return {token for token in own if token >= 0}


def _own_sampling(config: Any) -> Sampling:
    """A checkpoint's generation settings. OpenVINO's own default for top_k is a very large number."""
    if not config.do_sample:
        return Sampling(temperature=0, repetition_penalty=config.repetition_penalty)
    return Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k if config.top_k < 1 << 20 else None,
        repetition_penalty=config.repetition_penalty,
    )
