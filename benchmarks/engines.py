"""All engines that are installed, side by side on the same 256 prompts; and two plain ways to compare them with.

    .venv/bin/python benchmarks/engines.py [--items 256] [--seed 1] [--only openvino,transformers]

`plain, one at a time` and `plain, static 64` are transformers' own generate(), as a task without any of this project
would call it, in bf16 where the CPU has it and else in fp32; `openvino, own generate()` is the library's call over the
whole list. Each runs after a warm-up on other prompts. Run it on an idle machine.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import workload

from copydesk import settings as copydesk_settings
from copydesk.engine.base import Request
from copydesk.engine.open import open_engine
from copydesk.settings import Settings

WARM_UP = 32
ONE_AT_A_TIME = 24  # of the items: the whole list would take ten minutes

Row = dict[str, Any]


def ours(settings: Settings, requests: Sequence[Request], warm: Sequence[Request]) -> tuple[Row, list[str]]:
    """Through the engine as a worker has it: child process, pipe, admission."""
    engine = open_engine(settings)
    workload.answered(engine, warm)
    before = engine.stats()
    completions, seconds = workload.answered(engine, requests)
    after = engine.stats()
    engine.close()
    busy = after.busy_seconds - before.busy_seconds
    row = figures(len(requests), sum(one.completion_tokens for one in completions), seconds)
    row["busy"] = busy / seconds
    row["batch"] = (after.sequence_seconds - before.sequence_seconds) / busy
    texts = {one.request_id: one.text for one in completions}
    return row, [texts[request.id] for request in requests]


def figures(items: int, tokens: int, seconds: float) -> Row:
    return {"items": items, "seconds": seconds, "items/s": items / seconds, "tokens/s": tokens / seconds}


class Plain:
    """transformers, by hand."""

    def __init__(self, settings: Settings) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from copydesk.engine.loading import checkpoint, dtype_for
        from copydesk.engine.models import resolve

        dtype = dtype_for(torch.device("cpu"))
        folder = checkpoint(Path(resolve(settings.model, settings.models)), dtype)
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token

    def run(self, requests: Sequence[Request], width: int) -> tuple[Row, list[str]]:
        """Static batches in the order of the list, each padded to its longest and run to its longest answer."""
        began, tokens, texts = time.perf_counter(), 0, []
        for start in range(0, len(requests), width):
            batch = requests[start : start + width]
            turns = [[{"role": m.role, "content": m.content} for m in request.messages] for request in batch]
            rendered = [
                self.tokenizer.apply_chat_template(t, tokenize=False, add_generation_prompt=True) for t in turns
            ]
            inputs = self.tokenizer(rendered, return_tensors="pt", padding=True, add_special_tokens=False)
            limit = max(request.sampling.max_tokens for request in batch)
            with self.torch.inference_mode():
                output = self.model.generate(
                    **inputs,
                    max_new_tokens=limit,
                    do_sample=False,
                    eos_token_id=self.tokenizer.convert_tokens_to_ids("<|im_end|>"),
                )
            for request, ids in zip(batch, output[:, inputs["input_ids"].shape[1] :].tolist(), strict=True):
                useful = self.useful(ids[: request.sampling.max_tokens])
                tokens += len(useful)
                texts.append(self.tokenizer.decode(useful, skip_special_tokens=True).strip())
        return figures(len(requests), tokens, time.perf_counter() - began), texts

    def useful(self, ids: list[int]) -> list[int]:
        end = self.tokenizer.convert_tokens_to_ids("<|im_end|>")
        return ids[: ids.index(end) + 1] if end in ids else ids


def own_generate(settings: Settings, requests: Sequence[Request], warm: Sequence[Request]) -> tuple[Row, list[str]]:
    """The openvino backend's pipeline, given the whole list at once."""
    from copydesk.engine.backend import Row as OneRow
    from copydesk.engine.open import open_backend

    backend: Any = open_backend(settings.model_copy(update={"engine": "openvino"}))

    def run(some: Sequence[Request]) -> list[Any]:
        rows = [OneRow(request, 0, backend.read(request), 0.0) for request in some]
        made: list[Any] = backend._pipeline.generate(
            [row.prompt.data for row in rows], [backend._config(row) for row in rows]
        )
        return made

    run(warm)
    began = time.perf_counter()
    results = run(requests)
    ids = [result.m_generation_ids[0] for result in results]
    row = figures(len(requests), sum(map(len, ids)), time.perf_counter() - began)
    return row, [backend._tokenizer.decode(one).strip() for one in ids]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="of plain,openvino-generate,openvino,transformers,vllm")
    arguments = parser.parse_args()
    settings = copydesk_settings.load()
    requests = workload.prompts(arguments.items, arguments.seed)
    warm = workload.prompts(WARM_UP, arguments.seed + 1)
    wanted = set(filter(None, arguments.only.split(",")))
    rows: list[Row] = []
    texts: dict[str, list[str]] = {}

    def measure(name: str, run: Callable[[], tuple[Row, list[str]]]) -> None:
        row, texts[name] = run()
        rows.append({"engine": name, **row})
        print(f"{name}: {row['items/s']:.2f} items/s", flush=True)

    if importlib.util.find_spec("torch") and (not wanted or "plain" in wanted):
        plain = Plain(settings)
        plain.run(warm[:4], 4)
        measure("plain, one at a time", lambda: plain.run(requests[:ONE_AT_A_TIME], 1))
        measure("plain, static 64", lambda: plain.run(requests, 64))
        del plain
    if importlib.util.find_spec("openvino_genai") and (not wanted or "openvino-generate" in wanted):
        measure("openvino, own generate()", lambda: own_generate(settings, requests, warm))
    for name, package in (("openvino", "openvino_genai"), ("transformers", "torch"), ("vllm", "vllm")):
        if importlib.util.find_spec(package) and (not wanted or name in wanted):
            width = 64 if name == "transformers" else settings.batch_size
            own = settings.model_copy(update={"engine": name, "batch_size": width})
            measure(name, lambda own=own: ours(own, requests, warm))
    base = next((row["items/s"] for row in rows if row["engine"] == "plain, static 64"), None)
    for row in rows:
        row["to static 64"] = row["items/s"] / base if base else ""
        same = [a == b for a, b in zip(texts[row["engine"]], texts.get("plain, static 64", []), strict=False)]
        row["same texts"] = f"{sum(same)}/{len(same)}"
    workload.report("engines", rows, model=settings.model, seed=arguments.seed)


if __name__ == "__main__":
    main()
