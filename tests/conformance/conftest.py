"""The engines under the suite, and the small models that they run in it."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import in_thread
from openai_server import serve

from copydesk.engine.hosted import HostedEngine
from copydesk.engine.scripted import ScriptedBackend

# How ByteLevel writes the 256 bytes: each printable one as it is, the others as the letters from U+0100 on.
_BYTES = [chr(byte) for byte in range(0x100) if chr(byte).isprintable() and chr(byte) != " "]
_BYTES += [chr(0x100 + place) for place in range(0x100 - len(_BYTES))]
TOKENS = [*_BYTES[: _BYTES.index("{")], "<|im_end|>", *_BYTES[_BYTES.index("{") :], "<|im_start|>", "qq"]
MERGE = ("q", "q")  # transformers takes a GGUF tokenizer without any merge for one of another kind

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer(chat_template: str | None = None) -> Any:
    """One token for each byte, and the token that ends a text between z and {."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    model = tokenizers.models.BPE(vocab={token: place for place, token in enumerate(TOKENS)}, merges=[MERGE])
    fast = tokenizers.Tokenizer(model)
    fast.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = tokenizers.decoders.ByteLevel()
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=fast, additional_special_tokens=["<|im_start|>"], eos_token="<|im_end|>"
    )
    made.chat_template = chat_template
    return made


def llama(**config: Any) -> Any:
    """A random Llama of about a million parameters, the same every time."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(20)
    sizes = {
        "vocab_size": len(TOKENS),
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        # Ten times the usual: with smaller weights every prompt is continued by the same token again and again.
        "initializer_range": 0.2,
        "eos_token_id": TOKENS.index("<|im_end|>"),
        "bos_token_id": None,
        "pad_token_id": None,
    }
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**sizes, **config}))


def counting_llama() -> Any:
    """A Llama that always follows a token with the next id: its layers pass everything through as it is."""
    torch = pytest.importorskip("torch")
    model = llama()
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.lm_head.weight.copy_(model.model.embed_tokens.weight.roll(1, dims=0))
    return model


def save(folder: Path, model: Any, tokenizer: Any) -> Path:
    model.half().float().save_pretrained(folder)  # so that a GGUF of 16 bits holds the very same numbers
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def chat_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model with a chat template."""
    return save(tmp_path_factory.mktemp("chat"), llama(), tokenizer(CHAT_TEMPLATE))


@pytest.fixture(scope="session")
def counting_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model, without a chat template, that counts up from the prompt's last byte."""
    return save(tmp_path_factory.mktemp("counting"), counting_llama(), tokenizer())


@pytest.fixture(scope="session")
def chat_gguf(chat_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random chat model as a GGUF file."""
    return write_gguf(tmp_path_factory.mktemp("gguf") / "chat.gguf", chat_checkpoint)


@pytest.fixture
def quantized_gguf(chat_checkpoint: Path, tmp_path: Path) -> Callable[[Any], Path]:
    """Writes the same with its matrices in another GGMLQuantizationType."""
    return lambda kind: write_gguf(tmp_path / "small.gguf", chat_checkpoint, matrices=kind)


@pytest.fixture
def holed_gguf(chat_checkpoint: Path, tmp_path: Path) -> Path:
    """The same, but without one of its tensors."""
    return write_gguf(tmp_path / "holed.gguf", chat_checkpoint, left_out="model.layers.2.mlp.up_proj.weight")


def write_gguf(
    path: Path, checkpoint: Path, left_out: str = "", chat_template: str = CHAT_TEMPLATE, matrices: Any = None
) -> Path:
    """Write a checkpoint as llama.cpp's own converter would: vectors in 32 bits, matrices in 16 or as it is said."""
    gguf = pytest.importorskip("gguf")
    pytest.importorskip("accelerate", reason="transformers reads GGUF files only with accelerate installed")
    transformers = pytest.importorskip("transformers")
    model = transformers.LlamaForCausalLM.from_pretrained(checkpoint)
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in TOKENS])
    writer.add_token_merges([" ".join(MERGE)])
    writer.add_eos_token_id(config.eos_token_id)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    # OpenVINO reads no GGUF without these.
    writer.add_bos_token_id(config.eos_token_id)
    writer.add_pad_token_id(config.eos_token_id)
    writer.add_tokenizer_pre("gpt-2")
    if chat_template:
        writer.add_chat_template(chat_template)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, tensor in model.state_dict().items():
        if name == left_out:
            continue
        kind = name.split(".")[-2]
        weights = tensor.numpy()
        if kind in heads:  # llama.cpp keeps the two halves of each rotated head interleaved
            weights = weights.reshape(heads[kind], 2, -1, weights.shape[1]).swapaxes(1, 2).reshape(weights.shape)
        kept = (matrices or gguf.GGMLQuantizationType.F16) if weights.ndim == 2 else gguf.GGMLQuantizationType.F32
        place = names.get_name(name, try_suffixes=(".weight",))
        writer.add_tensor(place, gguf.quantize(weights, kept), raw_dtype=kept)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="session")
def counting_gguf(counting_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The counting model as a GGUF file."""
    return write_gguf(tmp_path_factory.mktemp("gguf") / "counting.gguf", counting_checkpoint, chat_template="")


Open = Callable[..., HostedEngine]
"""Opens an engine of one kind on a model; the fixture closes it."""


@pytest.fixture
def opened() -> Iterator[list[HostedEngine]]:
    """Engines to be closed at the end."""
    engines: list[HostedEngine] = []
    yield engines
    for engine in engines:
        engine.close()


@pytest.fixture
def open_transformers(opened: list[HostedEngine], monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens static transformers engines in fp32 on the CPU."""
    return _opener(opened, monkeypatch, "transformers", "TransformersBackend")


@pytest.fixture
def open_paged(opened: list[HostedEngine], monkeypatch: pytest.MonkeyPatch) -> Open:
    """The same with continuous batches."""
    return _opener(opened, monkeypatch, "paged", "PagedTransformersBackend")


def _opener(opened: list[HostedEngine], patch: pytest.MonkeyPatch, module_name: str, class_name: str) -> Open:
    module = pytest.importorskip(f"copydesk.engine.{module_name}", reason="needs the worker extra")
    # So small a model gains nothing from threads, and they wait for each other long on a machine that is busy.
    module.torch.set_num_threads(1)
    patch.setattr("copydesk.engine.loading.dtype_for", lambda device: module.torch.float32)

    def open_one(checkpoint: Path, width: int = 4) -> HostedEngine:
        backend = getattr(module, class_name)(checkpoint, name="test", device="cpu", width=width, own_sampling=None)
        opened.append(in_thread(lambda: backend))
        return opened[-1]

    return open_one


@pytest.fixture
def open_openvino(opened: list[HostedEngine]) -> Open:
    """Opens openvino engines in fp32."""
    module = pytest.importorskip("copydesk.engine.openvino", reason="needs the openvino extra")
    exact = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "INFERENCE_NUM_THREADS": "1"}

    def open_one(gguf: Path, width: int = 4) -> HostedEngine:
        backend = module.OpenVinoBackend(gguf, name="test", width=width, cache_gb=1, properties=exact)
        opened.append(in_thread(lambda: backend))
        return opened[-1]

    return open_one


@pytest.fixture
def open_openai(opened: list[HostedEngine], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], HostedEngine]]:
    """Opens openai engines on a real HTTP server."""
    from copydesk.engine import openai as module

    monkeypatch.setenv("NO_PROXY", "*")
    with serve() as endpoint:

        def open_one() -> HostedEngine:
            backend = module.OpenAIBackend(base_url=endpoint.url, model="test", concurrency=4)
            opened.append(in_thread(lambda: backend))
            return opened[-1]

        yield open_one
        for engine in opened:
            engine.close()  # before its server


@pytest.fixture(scope="session")
def vllm_backend(chat_checkpoint: Path) -> Iterator[Any]:
    """One for all tests: on a CPU it takes some time to open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_CI_ENV", "1")  # compile nothing
        from copydesk.engine.vllm import VllmBackend

        yield VllmBackend(chat_checkpoint, name="test", width=4, cache_gb=1)


KINDS = ["scripted", "transformers", "paged", "openvino", "openai"]
if importlib.util.find_spec("vllm"):
    KINDS.append("vllm")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of each engine in turn."""
    name: str = request.param
    return name


@pytest.fixture
def engine(kind: str, request: pytest.FixtureRequest, opened: list[HostedEngine]) -> HostedEngine:
    """Each engine in turn, with a chat model; four rows decode together."""
    if kind == "scripted":
        opened.append(in_thread(lambda: ScriptedBackend(width=4)))
    elif kind == "vllm":
        backend = request.getfixturevalue("vllm_backend")
        opened.append(in_thread(lambda: backend))
    elif kind == "openai":
        request.getfixturevalue("open_openai")()
    else:
        model = request.getfixturevalue("chat_gguf" if kind == "openvino" else "chat_checkpoint")
        request.getfixturevalue(f"open_{kind}")(model)
    return opened[-1]
