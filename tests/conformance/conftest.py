"""The engines under the suite, and the small models that the transformers engine runs in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import in_thread

from copydesk.engine.base import Engine
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
    model.save_pretrained(folder)
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


OpenTransformers = Callable[..., Engine]


@pytest.fixture
def chat_gguf(chat_checkpoint: Path, tmp_path: Path) -> Path:
    """The random chat model as a GGUF file."""
    return write_gguf(tmp_path / "chat.gguf", chat_checkpoint)


@pytest.fixture
def holed_gguf(chat_checkpoint: Path, tmp_path: Path) -> Path:
    """The same, but without one of its tensors."""
    return write_gguf(tmp_path / "holed.gguf", chat_checkpoint, left_out="model.layers.2.mlp.up_proj.weight")


def write_gguf(path: Path, checkpoint: Path, left_out: str = "") -> Path:
    """Write a checkpoint as llama.cpp's own converter would."""
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
    writer.add_chat_template(CHAT_TEMPLATE)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, tensor in model.state_dict().items():
        if name == left_out:
            continue
        kind = name.split(".")[-2]
        weights = tensor.numpy()
        if kind in heads:  # llama.cpp keeps the two halves of each rotated head interleaved
            weights = weights.reshape(heads[kind], 2, -1, weights.shape[1]).swapaxes(1, 2).reshape(weights.shape)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def open_transformers() -> Iterator[OpenTransformers]:
    """Opens transformers engines in fp32 on the CPU, and closes them."""
    module = pytest.importorskip("copydesk.engine.transformers")
    # So small a model gains nothing from threads, and they wait for each other long on a machine that is busy.
    module.torch.set_num_threads(1)
    opened: list[Engine] = []

    def open_one(checkpoint: Path, **options: Any) -> Engine:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_dtype", lambda device: module.torch.float32)
            engine: Engine = module.TransformersEngine(checkpoint, device="cpu", **options)
        opened.append(engine)
        return engine

    yield open_one
    for engine in opened:
        engine.close()


@pytest.fixture(params=["scripted", "transformers"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn, with a chat model."""
    if request.param == "scripted":
        made: Engine = in_thread(ScriptedBackend)
    else:
        open_one = request.getfixturevalue("open_transformers")
        made = open_one(request.getfixturevalue("chat_checkpoint"), batch_size=4)
    yield made
    made.close()
