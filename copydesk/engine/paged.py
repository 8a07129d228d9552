"""Hugging Face transformers with continuous batches: its own manager decodes in a thread, with a paged cache."""

import contextlib
import itertools
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig, LogitsProcessorList
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessor,
    ContinuousBatchingLogitsProcessorList,
)

from copydesk.engine.backend import Prompt, Row, Text, Tick, said
from copydesk.engine.base import Request
from copydesk.engine.loading import Loaded, load
from copydesk.engine.scheduling import REPLIES_WIDTH
from copydesk.engine.transformers import LanguageModel, Picker, named, only, picked
from copydesk.errors import ModelError
from copydesk.settings import Sampling

LISTEN_SECONDS = 0.05
"""How long a step waits for a row to end, if the model gets on meanwhile."""

STOP_SECONDS = 10
"""How long a manager that is given up is waited for."""

PAGE_TOKENS = 32
"""Only whole pages of two prompts' common beginning are shared; transformers' own 256 is longer than most of ours."""

READ_TOKENS = 2048
"""Tokens that one pass of the model reads at most. Without flash attention a mask grows with them."""

ROOM_TOKENS = 1024
"""Room in the cache for each row. Longer ones are no trouble: fewer of them run together."""


class CannotPage(ModelError):
    """The model runs, but not with continuous batches."""


@dataclass(frozen=True, slots=True)
class _Flight:
    row: Row
    picker: Picker


_GONE = Picker(0, 0, 1, 0, 1, random.Random(0))  # noqa: S311
"""Picks for a row that was removed, until the manager knows."""


class PagedTransformersBackend:
    """Rows come and go while others decode; see `copydesk.engine.backend.Backend`.

    Everything that a request names is honoured for it alone, whoever decodes beside it: transformers' manager knows
    neither repetition_penalty nor seeds nor greedy rows among others, so the tokens are picked here (`_Picks`), by the
    same rules as in static batches. What a model's own settings ask for beyond these and min_p is left out.

    Seeds and greedy texts promise what they do in a static batch: a row's draws are its own, but the arithmetic
    depends on who decodes beside it in the last bits, and here that depends on timing too.
    """

    static = False
    width_beside_replies = None

    def __init__(
        self,
        source: Path | str | Loaded,
        *,
        name: str,
        device: str,
        width: int,
        own_sampling: Sampling | None,
    ) -> None:
        """As of TransformersBackend.

        Raises:
            ConfigurationError: there is no such device.
            CannotPage: transformers cannot batch this model continuously, or its cache does not fit.
            ModelError: the model cannot be found, fetched or loaded.
        """
        self.model = name
        self.width = width
        lm = LanguageModel.of(source if isinstance(source, Loaded) else load(source, device), own_sampling)
        self._lm = replace(lm, shareable=False)  # the manager itself finds what prompts share
        self._flights: dict[str, _Flight] = {}
        self._numbers = itertools.count(1)
        attention = lm.model.config._attn_implementation
        try:
            self._manager: Any = self._started()
        except Exception as error:  # models refuse it in many ways
            lm.model.set_attn_implementation(attention)  # it may have been changed, and the model may be used yet
            raise CannotPage(
                f"{name} cannot be batched continuously by transformers ({said(error)}): free memory on the device, "
                "lower COPYDESK_BATCH_SIZE, or set COPYDESK_MODEL to another model"
            ) from error
        pages = self._manager.batch_processor.cache.num_blocks
        # Each row may leave most of its last page empty.
        self.capacity_tokens: int | None = max(pages - self._rows, pages // 2) * PAGE_TOKENS

    @property
    def _rows(self) -> int:
        """Rows that decode together at most."""
        return self.width + REPLIES_WIDTH

    def read(self, request: Request) -> Prompt:
        """The prompt's `data` are its token ids, a tuple."""
        return self._lm.read(request)

    def add(self, row: Row) -> None:
        key = str(next(self._numbers))
        self._flights[key] = _Flight(row, self._lm.picker(row))
        if self._manager is not None:
            self._send(key)

    def remove(self, row: Row) -> None:
        key = next(key for key, flight in self._flights.items() if flight.row is row)
        del self._flights[key]
        if self._manager is not None:
            self._manager.cancel_request(key)

    def step(self, tick: Tick) -> list[tuple[Row, Text]]:  # noqa: ARG002 - it takes 50 ms, or hangs
        """The rows that ended. Returns only when the model got somewhere: whoever watches for a hang sees one."""
        if self._manager is None:  # the one before was given up
            self._manager = self._started()
            for key in self._flights:
                self._send(key)
        passes = self._passes()
        outputs = self._arrived()
        while not outputs and self._passes() == passes and self._manager.is_running():
            outputs = self._arrived()
        if not self._manager.is_running() or any(output.error for output in outputs):
            raise self._given_up(next((output.error for output in outputs if output.error), "its thread ended"))
        return [ended for output in outputs if (ended := self._ended(output))]

    def close(self) -> None:
        """End the manager's thread, or the process would not end."""
        if self._manager is not None:
            manager, self._manager = self._manager, None
            manager.stop(hard_stop=True, timeout=STOP_SECONDS)
            manager.destroy()

    def _passes(self) -> int:
        """How often the model ran."""
        passes: int = getattr(self._manager, "current_batch", 0)  # set when the thread gets going
        return passes

    def _arrived(self) -> list[Any]:
        """What ended: waits for the first, and takes what else there is."""
        first = self._manager.get_result(timeout=LISTEN_SECONDS)
        others = iter(lambda: self._manager.get_result(timeout=0), None)
        return [] if first is None else [first, *others]

    def _ended(self, output: Any) -> tuple[Row, Text] | None:
        """None if the row was removed meanwhile."""
        flight = self._flights.pop(output.request_id, None)
        if flight is None:
            return None
        since = time.perf_counter() - output.timestamps[0]
        flight.row.first_token_at = time.monotonic() - since
        return flight.row, self._lm.text(output.generated_tokens)

    def _send(self, key: str) -> None:
        row = self._flights[key].row
        self._manager.add_request(
            list(row.prompt.data),
            key,
            max_new_tokens=row.request.sampling.max_tokens,
            eos_token_id=list(self._lm.eos_ids),
            record_timestamps=True,
        )

    def _given_up(self, said_by_manager: str) -> Exception:
        """The manager failed, and all its rows with it; why. The next step starts another."""
        manager = self._manager
        with contextlib.suppress(Exception):  # a device that answers nothing more cannot be tidied up either
            self.close()
        error: Exception | None = manager.background_thread_status.fatal_error
        # The error's traceback would hold the tensors that did not fit.
        return named((error or RuntimeError(said_by_manager)).with_traceback(None))

    def _started(self) -> Any:
        """A manager with room for every row if the memory allows it, or else with as much as it allows."""
        context = min(self._lm.context or ROOM_TOKENS, ROOM_TOKENS)
        try:
            return self._manager_with(pages=self._rows * math.ceil(context / PAGE_TOKENS))
        except MemoryError:  # the manager's reckoning, before it allocates anything
            return self._manager_with(pages=None)

    def _manager_with(self, pages: int | None) -> Any:
        manager = self._lm.model.init_continuous_batching(
            generation_config=GenerationConfig(do_sample=False, eos_token_id=list(self._lm.eos_ids) or -1),
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=PAGE_TOKENS,
                num_blocks=pages,
                max_batch_tokens=READ_TOKENS,
                max_requests_per_batch=self._rows,
                # Both would run _Picks once for many passes, or before it can know the last token.
                use_cuda_graph=False,
                use_async_batching=False,
            ),
        )
        manager.logit_processor = ContinuousBatchingLogitsProcessorList(LogitsProcessorList([_Picks(self._flights)]))
        manager.logit_processor.tensors_required = 1
        manager.warmup()  # allocates the cache here, and not in the thread
        manager.start()
        return manager


class _Picks(ContinuousBatchingLogitsProcessor):  # type: ignore[misc] # mypy does not follow transformers
    """In the manager's thread: leaves each row only the token that its picker picks; the manager takes the best."""

    supported_kwargs: ClassVar[dict[str, type]] = {}
    ignored_kwargs = ()

    def __init__(self, flights: dict[str, _Flight]) -> None:
        self.flights = flights
        self.states: Sequence[Any] = ()

    def fill_defaults(self, int32_tensor: torch.Tensor) -> None:
        int32_tensor.zero_()

    def prepare_tensor_args(self, requests_with_new_token: Sequence[Any]) -> torch.Tensor:
        """Remembers whose logits come next; the tensor is of no use to us."""
        self.states = [request.state for request in requests_with_new_token]
        return torch.zeros(len(self.states), dtype=torch.int32)

    def __call__(self, scores: torch.Tensor, tensor_arg: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """`scores` are logits [rows, vocabulary]."""
        rows = [(state, self.flights.get(state.request_id)) for state in self.states]
        pickers = [_GONE if flight is None else flight.picker for _, flight in rows]
        for place, (state, picker) in enumerate(zip(self.states, pickers, strict=True)):
            if picker.repetition_penalty != 1:
                _punish(scores[place], [*state.initial_tokens, *state.generated_tokens], picker.repetition_penalty)
        return only(picked(scores, pickers), scores)


def _punish(scores: torch.Tensor, tokens: Sequence[int], penalty: float) -> None:
    """Apply repetition_penalty to one row's logits [vocabulary], in place; `tokens` are its prompt and its text."""
    ids = torch.tensor(sorted(set(tokens)), device=scores.device)
    own = scores[ids]
    scores[ids] = torch.where(own < 0, own * penalty, own / penalty)
