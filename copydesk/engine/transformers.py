"""The engine on Hugging Face transformers: static batches of prompts of similar length, on CUDA or a CPU.

This is the only module that imports torch and transformers. It reads from the top: the engine and its thread, then
which requests share a batch, then one batch through the model, then how a model gets loaded.
"""

import contextlib
import hashlib
import io
import itertools
import logging
import re
import secrets
import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GgufConfig
from transformers import __version__ as transformers_version
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.utils import logging as transformers_logging

from copydesk.engine.base import Completion, Deliver, Finish, Message, Request
from copydesk.errors import ConfigurationError, ModelError
from copydesk.settings import Sampling

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.02
"""How long a batch that is not full waits for more; a batch takes seconds on a CPU and rarely under 0.3 s on a GPU."""

WORTH_KEEPING_TOKENS = 32
"""Shorter beginnings are read again with each prompt: keeping them would not pay for copying them."""

KEPT_BEGINNINGS = 16
"""Instructions and examples of the kinds, languages and shops that take turns on one engine."""

CANDIDATES_TEMPERATURE = 0.8
"""Temperature for several candidates where neither the settings nor the model name one."""


class TransformersEngine:
    """One model in this process and the one thread that runs it; see `copydesk.engine.base.Engine`.

    Sampling follows the model's own generation settings; a value the request names wins. A temperature of 0 is greedy,
    and so is one that nobody names with a model that does not sample by itself. Several candidates always sample.
    A seed makes a batch repeatable, not a request: the draws of one text depend on its neighbours.
    """

    def __init__(
        self,
        source: Path | str,
        *,
        name: str = "",
        device: str = "auto",
        batch_size: int = 32,
        own_sampling: Sampling | None = None,
    ) -> None:
        """Load a checkpoint folder, a .gguf file or a Hugging Face id; `name` is how drafts record it.

        `own_sampling` stands in for the generation settings of a model that comes without any, as a GGUF does.

        Raises:
            ConfigurationError: there is no such device.
            ModelError: the model cannot be found, fetched or loaded.
        """
        self._model_name = name or str(source)
        self._runner = load(source, device)
        if own_sampling is not None:
            self._runner.sample_by_default(own_sampling)
        self._batch_size = batch_size
        self._inbox: list[tuple[Request, Deliver]] = []
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="copydesk-engine", daemon=True)
        self._thread.start()

    @property
    def model(self) -> str:
        """The model as drafts record it."""
        return self._model_name

    def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
        """Queue requests and return at once; see the protocol."""
        with self._changed:
            if self._closed:
                raise RuntimeError("the engine is closed: open another one")
            self._inbox.extend((request, deliver) for request in requests)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop after the batch that decodes now; what still waits is delivered as CLOSED. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:  # a deliver callback may close the engine
            self._thread.join()

    def _run(self) -> None:
        waiting: list[_Row] = []
        while self._gather(waiting):
            if not waiting:  # nothing that arrived could be run
                continue
            batch = pick(waiting, self._batch_size)
            picked = {id(row) for row in batch}
            waiting = [row for row in waiting if id(row) not in picked]
            self._decode(batch)
        unread = [row for request, deliver in self._inbox for row in _rows(request, (), deliver)]
        for row in [*waiting, *unread]:
            row.fail("the engine was closed before this request's turn", Finish.CLOSED)

    def _gather(self, waiting: "list[_Row]") -> bool:
        """Add what has been submitted to the waiting rows; False when the engine closes."""
        with self._changed:
            if not waiting:
                self._changed.wait_for(lambda: self._inbox or self._closed)
            self._changed.wait_for(lambda: self._closed or self._enough(len(waiting)), GATHER_SECONDS)
            if self._closed:
                return False
            arrived, self._inbox = self._inbox, []
        for request, deliver in arrived:
            waiting.extend(self._read(request, deliver))
        return True

    def _enough(self, waiting: int) -> bool:
        return waiting + sum(request.candidates for request, _ in self._inbox) >= self._batch_size

    def _read(self, request: Request, deliver: Deliver) -> "list[_Row]":
        """A request as rows; none if it cannot be run, which has then been delivered."""
        prompt_ids: tuple[int, ...] = ()
        shared = 0
        try:
            prompt_ids, shared = self._runner.encode(request)
            refusal = self._runner.refusal(prompt_ids, request.sampling)
        except Exception as error:  # a chat template is a program of its own, and may raise anything
            refusal = f"the prompt could not be encoded: {_said(error)}"
        rows = _rows(request, prompt_ids, deliver, shared)
        if not refusal:
            return rows
        for row in rows:
            row.fail(refusal)
        return []

    def _decode(self, rows: "list[_Row]") -> None:
        """Run a batch and deliver it; out of memory, each half by itself."""
        try:
            texts = self._runner.generate(rows)
        except Exception as error:  # whatever torch raises, the rows are owed an answer and the thread lives on
            failure, no_memory = _said(error), _is_out_of_memory(error)
            log.warning("a batch of %d sequences failed: %s", len(rows), failure, exc_info=not no_memory)
        else:
            for row, text in zip(rows, texts, strict=True):
                row.deliver_text(text)
            return
        # Outside the except block: the exception's traceback holds the tensors that did not fit.
        if no_memory and len(rows) > 1:
            log.warning("halving the batch; a COPYDESK_BATCH_SIZE below %d saves the attempt", len(rows))
            self._runner.free_memory()
            middle = len(rows) // 2
            self._decode(rows[:middle])
            self._decode(rows[middle:])
            return
        for row in rows:
            row.fail(failure)


# Which rows share a batch -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    """What the model made of one row."""

    text: str
    finish: Finish
    tokens: int


@dataclass(frozen=True, slots=True)
class _Group:
    """What the rows of one batch have in common: `generate` samples all of a batch alike."""

    sampling: Sampling  # without its seed: rows with different seeds may share a batch
    several: bool  # several candidates sample even where a lone one is greedy
    seeded: bool

    @classmethod
    def of(cls, request: Request) -> "_Group":
        unseeded = request.sampling.model_copy(update={"seed": None})
        return cls(unseeded, request.candidates > 1, request.sampling.seed is not None)


@dataclass(frozen=True, slots=True)
class _Row:
    """One candidate of one request: one sequence in a batch."""

    request: Request
    index: int
    prompt_ids: tuple[int, ...]
    group: "_Group"
    deliver: Deliver
    shared: int = 0  # so many tokens of the prompt are the same for other products

    @property
    def beginning(self) -> tuple[int, ...]:
        return self.prompt_ids[: self.shared]

    @property
    def own_length(self) -> int:
        """Tokens that only this prompt has: what the model has to read for it."""
        return len(self.prompt_ids) - self.shared

    def deliver_text(self, text: _Text) -> None:
        self._deliver(text.text, text.finish, text.tokens, "")

    def fail(self, why: str, finish: Finish = Finish.FAILED) -> None:
        self._deliver("", finish, 0, why)

    def _deliver(self, text: str, finish: Finish, tokens: int, error: str) -> None:
        prompt_tokens = len(self.prompt_ids)
        completion = Completion(self.request.id, self.index, text, finish, prompt_tokens, tokens, error)
        try:
            self.deliver(completion)
        except Exception:  # the caller's mistake must not cost the other callers their engine
            log.exception("delivering a completion of request %s raised", self.request.id)


def _rows(request: Request, prompt_ids: tuple[int, ...], deliver: Deliver, shared: int = 0) -> list[_Row]:
    """One row for each candidate; they may end up in different batches."""
    group = _Group.of(request)
    return [_Row(request, index, prompt_ids, group, deliver, shared) for index in range(request.candidates)]


def pick(waiting: Sequence[_Row], batch_size: int) -> list[_Row]:
    """The next batch: the oldest row, and those of the same sampling whose lengths waste the least padding on it."""
    oldest = waiting[0]
    rows = sorted((row for row in waiting if row.group == oldest.group), key=lambda row: row.own_length)
    size = min(batch_size, len(rows))
    place = next(place for place, row in enumerate(rows) if row is oldest)
    starts = range(max(0, place - size + 1), min(place, len(rows) - size) + 1)
    windows = [rows[start : start + size] for start in starts]
    return min(windows, key=_padding)


def _padding(rows: Sequence[_Row]) -> int:
    """Pad tokens in a batch of rows sorted by length."""
    return rows[-1].own_length * len(rows) - sum(row.own_length for row in rows)


# One batch through the model ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Runner:
    """A loaded model: text to tokens, tokens to text. Knows nothing of threads and waiting."""

    model: Any
    tokenizer: Any
    device: torch.device
    special: re.Pattern[str] | None
    fold_system: bool
    eos_ids: tuple[int, ...]
    context: int | None
    shareable: bool
    beginnings: dict[tuple[int, ...], Any] = field(default_factory=dict)  # token ids -> key-value cache, oldest first

    def sample_by_default(self, sampling: Sampling) -> None:
        """Make `sampling` the model's own; what it leaves open stays as it is."""
        named = {
            name: value for name, value in generation(sampling, False, GenerationConfig()).items() if value is not None
        }
        self.model.generation_config.update(**named)

    def encode(self, request: Request) -> tuple[tuple[int, ...], int]:
        """A request's prompt as token ids, and how many of them come before its last message."""
        if not self.tokenizer.chat_template:
            return tuple(self.tokenizer(self._defused(request.plain))["input_ids"]), 0
        messages = [Message(message.role, self._defused(message.content)) for message in request.messages]
        if self.fold_system:
            messages = _folded(messages)
        prompt_ids = self._tokens(_render(self.tokenizer, messages))
        return prompt_ids, self._shared(messages, prompt_ids) if self.shareable and len(messages) > 1 else 0

    def _shared(self, messages: Sequence[Message], prompt_ids: tuple[int, ...]) -> int:
        """How many tokens come before the last message: instructions and examples, the same for other products."""
        try:
            before_last = self._tokens(_render(self.tokenizer, messages[:-1], ask=False))
        except Exception:  # a template may refuse a conversation without its last message
            return 0
        pairs = zip(prompt_ids[:-1], before_last, strict=False)  # the model needs at least one token to read
        shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        return shared if shared >= WORTH_KEEPING_TOKENS else 0

    def _tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])  # the template wrote them already

    def refusal(self, prompt_ids: Sequence[int], sampling: Sampling) -> str:
        """Why a prompt cannot be run at all; empty if it can."""
        if not prompt_ids:
            return "the prompt is empty"
        if self.context is not None and len(prompt_ids) + sampling.max_tokens > self.context:
            return (
                f"the prompt has {len(prompt_ids)} tokens and max_tokens asks for {sampling.max_tokens} more, but the "
                f"model's context is {self.context}: shorten the product's facts or lower COPYDESK_SAMPLING__MAX_TOKENS"
            )
        return ""

    def generate(self, rows: Sequence[_Row]) -> list[_Text]:
        """Run rows of one group as one batch: what each prompt begins with is read once and kept, the rest is read.

        Both parts are padded on the left, to the longest of their kind.
        """
        before = max(row.shared for row in rows)
        own = max(row.own_length for row in rows)
        padded, mask = [], []
        for row in rows:
            # The mask hides the filler from the model, but not from repetition_penalty: a pad token, often the very
            # token that ends a text, would be punished in the shorter prompts. A prompt's own first token is not.
            filler, gaps = row.prompt_ids[:1], (before - row.shared, own - row.own_length)
            padded.append([*filler * gaps[0], *row.beginning, *filler * gaps[1], *row.prompt_ids[row.shared :]])
            mask.append([0] * gaps[0] + [1] * row.shared + [0] * gaps[1] + [1] * row.own_length)
        group = rows[0].group
        with torch.inference_mode():
            cache = self._begun(rows, before) if before else None
            _seed(rows)
            output = self.model.generate(
                input_ids=torch.tensor(padded, device=self.device),
                attention_mask=torch.tensor(mask, device=self.device),
                past_key_values=cache,
                generation_config=GenerationConfig(
                    **generation(group.sampling, group.several, self.model.generation_config),
                    eos_token_id=list(self.eos_ids) or None,
                    pad_token_id=self._pad_id(),
                ),
            )
        return [self._text(ids) for ids in output[:, before + own :].tolist()]

    def _begun(self, rows: Sequence[_Row], width: int) -> DynamicCache:
        """The key-value cache of a batch whose beginnings have been read, padded on the left to `width` tokens."""
        kept = {row.beginning: self._kept(row.beginning) for row in rows if row.shared}
        cache = DynamicCache(config=self.model.config)
        for number, layer in enumerate(next(iter(kept.values())).layers):
            shape = (len(rows), layer.keys.shape[1], width, layer.keys.shape[3])
            keys, values = layer.keys.new_zeros(shape), layer.values.new_zeros(shape)
            for place, row in enumerate(rows):
                if row.shared:
                    keys[place, :, width - row.shared :] = kept[row.beginning].layers[number].keys[0]
                    values[place, :, width - row.shared :] = kept[row.beginning].layers[number].values[0]
            cache.update(keys, values, number)
        return cache

    def _kept(self, beginning: tuple[int, ...]) -> Any:
        """A beginning's key-value cache; read by the model the first time."""
        if beginning not in self.beginnings:
            ids = torch.tensor([beginning], device=self.device)
            read = self.model(ids, use_cache=True, logits_to_keep=1).past_key_values
            if len(self.beginnings) == KEPT_BEGINNINGS:
                del self.beginnings[next(iter(self.beginnings))]
            self.beginnings[beginning] = read
        return self.beginnings[beginning]

    def free_memory(self) -> None:
        self.beginnings.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _pad_id(self) -> int:
        """What fills a row after its end; any id will do, since the row is cut at its end."""
        pad_id: int | None = self.tokenizer.pad_token_id
        return pad_id if pad_id is not None else next(iter(self.eos_ids), 0)

    def _text(self, ids: list[int]) -> _Text:
        """Cut a row at its end. The ending token counts as generated; what follows it is padding."""
        end = next((place for place, token in enumerate(ids) if token in self.eos_ids), None)
        tokens = len(ids) if end is None else end + 1
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        text = text.strip().rstrip("\ufffd")  # the token limit may cut a Chinese character in two
        return _Text(text, Finish.LENGTH if end is None else Finish.STOP, tokens)

    def _defused(self, text: str) -> str:
        """Break up special tokens: a review that quotes `<|im_end|>` must not end the customer's turn."""
        return self.special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text) if self.special else text


def generation(sampling: Sampling, several: bool, own: GenerationConfig) -> dict[str, Any]:
    """What `generate` is told; None leaves a value to the model's `own`, and then to transformers (top_k 50)."""
    samples = several or bool(own.do_sample if sampling.temperature is None else sampling.temperature)
    temperature = sampling.temperature or None
    if several and temperature is None:
        temperature = own.temperature or CANDIDATES_TEMPERATURE
    return {
        "max_new_tokens": sampling.max_tokens,
        "do_sample": samples,
        "num_beams": 1,
        "temperature": temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "repetition_penalty": sampling.repetition_penalty,
    }


def _seed(rows: Sequence[_Row]) -> None:
    """Seed torch from the rows' seeds and prompts; from the system's entropy where no seed is set."""
    if not rows[0].group.seeded:
        torch.seed()
        return
    # Prompts and indexes are mixed in, lest the second batch of one request's candidates repeat the first.
    identity = [(row.request.sampling.seed, row.index, row.prompt_ids) for row in rows]
    digest = hashlib.sha256(repr(identity).encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _render(tokenizer: Any, messages: Sequence[Message], *, ask: bool = True) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    # Templates of models that think aloud (Qwen3) know enable_thinking; the others ignore it.
    text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask, enable_thinking=False)
    return text


def _folded(messages: Sequence[Message]) -> list[Message]:
    """The system message moved into the first user message, for templates that know no system role (Gemma 2)."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    rest = [message for message in messages if message.role != "system"]
    if not system or not rest:
        return rest
    return [Message(rest[0].role, f"{system}\n\n{rest[0].content}"), *rest[1:]]


def _is_out_of_memory(error: Exception) -> bool:
    """CUDA has an exception of its own for it; the CPU allocator raises a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error).lower()
    return any(phrase in said for phrase in ("out of memory", "not enough memory", "can't allocate memory"))


def _said(error: BaseException) -> str:
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


# Loading ------------------------------------------------------------------------------------------------------------


def load(source: Path | str, device: str = "auto") -> _Runner:
    """Load a checkpoint folder, a .gguf file (converted on first use) or a Hugging Face id.

    Raises:
        ConfigurationError: there is no such device.
        ModelError: the model cannot be found, fetched or loaded.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    place = _device(device)
    dtype = _dtype(place)
    if isinstance(source, Path):
        source = _folder(source, dtype)
    tokenizer, model = _load_pretrained(source, dtype)
    return _runner(_placed(model, place), tokenizer, place)


def _runner(model: Any, tokenizer: Any, place: torch.device) -> _Runner:
    return _Runner(
        model=model.eval(),
        tokenizer=tokenizer,
        device=place,
        special=_special_pattern(tokenizer),
        fold_system=bool(tokenizer.chat_template) and not _knows_system_role(tokenizer),
        eos_ids=_eos_ids(model, tokenizer),
        context=getattr(model.config.get_text_config(), "max_position_embeddings", None),
        shareable=_keeps_plain_keys(model),
    )


def _keeps_plain_keys(model: Any) -> bool:
    """Can what two prompts begin with be read once for both? Not with a sliding window or a recurrent state."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA answers with an AssertionError
        raise ConfigurationError(
            f"COPYDESK_DEVICE={name} cannot be used ({_said(error)}): set it to auto, cpu, cuda or cuda:N"
        ) from error
    return device


def _dtype(device: torch.device) -> torch.dtype:
    """bf16 where the hardware multiplies it; elsewhere torch emulates it, slower than fp32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu.get_capabilities()
        native = any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return torch.bfloat16 if native else torch.float32


def _placed(model: Any, device: torch.device) -> Any:
    try:
        return model.to(device)
    except RuntimeError as error:
        raise ModelError(
            f"the model does not fit on {device} ({_said(error)}): choose a smaller one, or set COPYDESK_DEVICE=cpu"
        ) from error


def _eos_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every token that ends a text; a chat model's tokenizer often names one that its generation config forgot."""
    own = model.generation_config.eos_token_id
    named = [*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id]
    return tuple(dict.fromkeys(token for token in named if token is not None))


def _special_pattern(tokenizer: Any) -> re.Pattern[str] | None:
    words = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    words = sorted((word for word in words if len(word) > 2 and not word.isspace()), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, words))) if words else None


def _knows_system_role(tokenizer: Any) -> bool:
    try:
        return "s7q" in _render(tokenizer, [Message("system", "s7q"), Message("user", "u")])
    except Exception:  # a template refuses by raising, in whatever way it likes
        return False


def _load_pretrained(source: Path | str, dtype: torch.dtype) -> tuple[Any, Any]:
    try:
        return AutoTokenizer.from_pretrained(source), _whole_model(source, dtype=dtype)
    except Exception as error:  # the library raises OSError, ValueError, KeyError, ImportError and those of safetensors
        raise ModelError(_why_not_loaded(source, error)) from error


def _whole_model(source: Path | str, **options: Any) -> Any:
    """The model, unless its file lacks tensors: transformers fills those with random numbers, and only logs it."""
    model, loaded = AutoModelForCausalLM.from_pretrained(source, output_loading_info=True, **options)
    if missing := loaded["missing_keys"]:
        raise ValueError(f"its weights lack {len(missing)} tensors, {min(missing)} among them")
    return model


def _why_not_loaded(source: Path | str, error: Exception) -> str:
    if isinstance(source, Path):
        return (
            f"the checkpoint in {source} cannot be loaded ({_said(error)}): it must be complete, and of a kind that "
            f"transformers {transformers_version} knows; download it again or set COPYDESK_MODEL to another"
        )
    return (
        f"the model {source} cannot be fetched from the Hugging Face hub or loaded ({_said(error)}): check the network "
        "and the id (HF_TOKEN for a gated model), or download the checkpoint elsewhere and set COPYDESK_MODEL to its "
        "folder"
    )


def _folder(path: Path, dtype: torch.dtype) -> Path:
    if path.is_dir():
        _refuse_incomplete(path)
        return path
    if path.suffix.lower() == ".gguf" and path.is_file():
        return _converted(path, dtype)
    raise ModelError(f"{path} is not a model: set COPYDESK_MODEL to a checkpoint folder or a .gguf file")


def _refuse_incomplete(folder: Path) -> None:
    if not (folder / "config.json").is_file() and (gguf := next(folder.glob("*.gguf"), None)):
        raise ModelError(f"{folder} holds a GGUF file: set COPYDESK_MODEL to the file itself, {gguf}")
    needed: list[tuple[str, Iterable[str]]] = [
        ("config.json", ["config.json"]),
        ("weights (*.safetensors)", ["*.safetensors", "pytorch_model*.bin"]),
        ("a tokenizer (tokenizer.json)", ["tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"]),
    ]
    missing = [what for what, patterns in needed if not any(any(folder.glob(pattern)) for pattern in patterns)]
    if missing:
        raise ModelError(
            f"{folder} is not a complete checkpoint, it lacks {' and '.join(missing)}: copy every file of the model "
            "into it, or set COPYDESK_MODEL to another folder"
        )


# GGUF ---------------------------------------------------------------------------------------------------------------


def _converted(gguf: Path, dtype: torch.dtype) -> Path:
    """The folder with the safetensors twin of a GGUF file, made on first use.

    Reading SmolLM2's 98 MB GGUF takes transformers 24 s every time, reading its twin 0.3 s.
    """
    stat = gguf.stat()
    identity = f"{stat.st_size}-{stat.st_mtime_ns}-{transformers_version}-{str(dtype).removeprefix('torch.')}"
    target = gguf.parent / "converted" / f"{gguf.stem}-{identity}"
    if not target.is_dir():
        _convert(gguf, target, dtype)
    return target


def _convert(gguf: Path, target: Path, dtype: torch.dtype) -> None:
    """Write the twin under another name and rename it: a folder of that name is whole, whoever else converts it too."""
    scratch = target.with_name(f".{secrets.token_hex(4)}.tmp")
    log.info("converting %s once, to %s", gguf, target)
    try:
        scratch.mkdir(parents=True)
        _save_twin(gguf, scratch, dtype)
        scratch.rename(target)
    except OSError as error:
        if target.is_dir():  # another process was faster; its twin is as good
            return
        raise ModelError(
            f"{gguf} cannot be converted into {target} ({error}): make the folder writable and free "
            f"{gguf.stat().st_size * 8 // 1_000_000} MB, or set COPYDESK_MODEL to a checkpoint folder"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _save_twin(gguf: Path, folder: Path, dtype: torch.dtype) -> None:
    unpacked = GgufConfig(dequantize=True)
    try:
        # Of all of transformers' progress bars only the one for GGUF tensors has no switch.
        with contextlib.redirect_stderr(io.StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model = _whole_model(gguf.parent, gguf_file=gguf.name, quantization_config=unpacked, dtype=dtype)
    except Exception as error:  # as in _load_pretrained
        raise ModelError(
            f"{gguf} cannot be read by transformers {transformers_version} ({_said(error)}): if a package is missing "
            "run pip install '.[worker]', otherwise set COPYDESK_MODEL to a checkpoint folder of this model"
        ) from error
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    mode = (folder / "config.json").stat().st_mode
    for weights in folder.glob("*.safetensors"):  # written readable by their owner alone, whatever the umask
        weights.chmod(mode)
