"""Reads ``ModelFacts`` out of a Hugging Face config.json: names differ between families, facts do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NoReturn, TypeGuard

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.modelling.facts import Experts, LatentAttention, ModelFacts
from autotuner.modelling.quantisation import detect

Config = Mapping[str, object]

LANGUAGE_BLOCKS = ("text_config", "llm_config", "language_config", "thinker_config")
"""Where multimodal models keep the configuration of their language model."""

DETAILED = frozenset(
    {
        "arcee", "aya", "cohere", "cohere2", "deepseek", "deepseek_v2", "deepseek_v3", "ernie4_5", "ernie4_5_moe",
        "exaone4", "gemma", "gemma2", "gemma3", "glm", "glm4", "glm4_moe", "gpt2", "gpt_oss", "granite", "granitemoe",
        "internlm2", "internlm3", "kimi_k2", "llama", "llama4", "mimo", "minimax_m2", "ministral", "mistral", "mixtral",
        "olmo", "olmo2", "olmo3", "olmoe", "opt", "phi", "phi3", "phimoe", "qwen2", "qwen2_5_vl", "qwen2_moe",
        "qwen2_vl", "qwen3", "qwen3_moe", "qwen3_vl", "qwen3_vl_moe", "seed_oss", "smollm3", "stablelm", "starcoder2",
    }
)  # fmt: skip
"""Families whose layers are what ``weights`` counts."""

TWO_MATRICES = frozenset(
    {
        "bloom",
        "falcon",
        "gpt2",
        "gpt_bigcode",
        "gpt_neox",
        "gptj",
        "mpt",
        "nemotron",
        "nemotron_h",
        "opt",
        "phi",
        "starcoder2",
    }
)
"""Families whose feed-forward part has no gate."""

TIED_UNLESS_SAID = frozenset(
    {"bloom", "cohere", "cohere2", "falcon", "gemma", "gemma2", "gemma3", "gpt2", "mpt", "opt"}
)
"""Families that share embedding and output head when config.json does not say."""

FAMILY_DEFAULTS: Mapping[str, Config] = {
    "gemma3": {
        "vocab_size": 262208, "max_position_embeddings": 131072, "num_attention_heads": 8, "num_key_value_heads": 4,
        "head_dim": 256,
    },
}  # fmt: skip
"""Values that published configurations leave to the defaults of transformers."""

HYBRID_KEYS = (
    "attn_layer_indices", "attn_layer_period", "full_attention_interval", "hybrid_override_pattern",
    "layers_block_type", "linear_attn_config", "mamba_d_state", "ssm_cfg", "ssm_state_size", "state_size",
)  # fmt: skip
"""Keys that tell of layers which keep a state instead of keys and values."""


def read_config(
    name: str,
    config: Config,
    *,
    quant_config: Config | None = None,
    tokenizer: Config | None = None,
    checkpoint_bytes: int | None = None,
) -> ModelFacts:
    """The facts of a model.

    ``config``: config.json; ``quant_config``: hf_quant_config.json; ``tokenizer``: tokenizer_config.json (its longest
    text counts where the configuration names none); ``checkpoint_bytes``: size of the weight files.
    Raises AutotunerError (MISSING_MODEL) with the key that is missing or no number.
    """
    return _Reader(name, config).facts(quant_config, tokenizer, checkpoint_bytes)


class _Reader:
    """One config.json. ``inner`` is the language model's part of it, which is all of it for most models."""

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self.outer = config
        inner = _language_part(config)
        self.family = str(inner.get("model_type") or config.get("model_type") or "").removesuffix("_text")
        self.inner = {**FAMILY_DEFAULTS.get(self.family, {}), **inner}

    def facts(self, quant_config: Config | None, tokenizer: Config | None, checkpoint_bytes: int | None) -> ModelFacts:
        layers = len(self.kinds()) or self.number("num_hidden_layers", "n_layer", "n_layers", "num_layers")
        hidden = self.number("hidden_size", "n_embd", "d_model", "dim")
        heads = self.optional("num_attention_heads", "n_head", "n_heads")
        kv_layers = self.kv_layers(layers)
        if heads is None:
            if kv_layers:
                self.missing("num_attention_heads")
            heads = 1  # no layer has attention
        experts = self.experts(layers)
        hybrid = kv_layers < layers or any(key in self.inner for key in HYBRID_KEYS)
        known = self.family in DETAILED and not hybrid
        window, window_layers = self.window(layers)
        vision = self.vision()
        return ModelFacts(
            name=self.name,
            architecture=self.architecture(),
            model_type=self.family or "unknown",
            layers=layers,
            hidden_size=hidden,
            heads=heads,
            kv_heads=self.kv_heads(heads),
            head_dim=self.optional("head_dim", "kv_channels") or max(1, hidden // heads),
            intermediate_size=self.inner_width(hidden, experts),
            gated_mlp=self.family not in TWO_MATRICES,
            latent=self.latent(),
            experts=experts,
            vocab_size=self.number("vocab_size", "padded_vocab_size"),
            tied_embeddings=self.flag("tie_word_embeddings", default=self.family in TIED_UNLESS_SAID),
            learned_positions=(self.max_positions(None) or 0) if self.family in {"gpt2", "opt"} else 0,
            max_positions=self.max_positions(tokenizer),
            sliding_window=window,
            window_layers=min(window_layers, kv_layers),
            kv_layers=kv_layers,
            dtype=self.dtype(),
            vision_parameters=vision,
            quantisation=detect(self.name, {**self.inner, **self.outer}, quant_config, layers=layers),
            checkpoint_bytes=checkpoint_bytes,
            estimated=not known,
            notes=tuple(self.notes(hybrid=hybrid, known=known, vision=vision, layers=layers, kv_layers=kv_layers)),
        )

    # ---- single facts

    def architecture(self) -> str:
        for source in (self.outer, self.inner):
            named = source.get("architectures")
            if isinstance(named, Sequence) and not isinstance(named, str) and named:
                return str(named[0])
        return "unknown"

    def kv_heads(self, heads: int) -> int:
        found = self.optional("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num")
        if found is not None:
            return found
        return 1 if self.inner.get("multi_query") is True else heads

    def inner_width(self, hidden: int, experts: Experts | None) -> int:
        # Llama 4 names the width of its experts intermediate_size and that of its dense layers intermediate_size_mlp.
        found = self.optional("intermediate_size_mlp", "intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size")
        if found is not None:
            return found
        return 0 if experts is not None and len(experts.layers) else 4 * hidden

    def latent(self) -> LatentAttention | None:
        rank = self.optional("kv_lora_rank")
        if rank is None:
            return None
        return LatentAttention(
            q_lora_rank=self.optional("q_lora_rank"),
            kv_lora_rank=rank,
            qk_nope_head_dim=self.number("qk_nope_head_dim"),
            qk_rope_head_dim=self.number("qk_rope_head_dim"),
            v_head_dim=self.number("v_head_dim"),
        )

    def experts(self, layers: int) -> Experts | None:
        count = self.optional("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
        if count is None or count < 2:
            return None
        per_token = self.number(
            "num_experts_per_tok", "num_experts_per_token", "moe_top_k", "moe_k", "top_k_experts", "experts_per_token"
        )
        width = self.number("moe_intermediate_size", "expert_intermediate_size", "intermediate_size", "ffn_dim")
        shared = self.optional("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size")
        if shared is None:
            shared = (self.optional("n_shared_experts", "num_shared_experts", "moe_num_shared_experts") or 0) * width
        if self.family == "llama4":  # one shared expert, as wide as the others; no key says so
            shared = width
        return Experts(
            count=count,
            per_token=per_token,
            intermediate_size=width,
            shared_size=shared,
            layers=tuple(self.expert_layers(layers)),
        )

    def kinds(self) -> list[str]:
        """What each layer is, where they differ in more than their attention; else nothing.

        Words, or the letters of Nemotron-H: M a state, * attention, - feed-forward, E experts.
        """
        pattern = self.inner.get("hybrid_override_pattern")
        if isinstance(pattern, str):
            letters = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
            return [letters.get(letter, letter) for letter in pattern]
        listed = self.inner.get("layers_block_type")
        return [str(kind) for kind in listed] if _is_list(listed) else []

    def expert_layers(self, layers: int) -> list[int]:
        kinds = self.kinds()
        if "moe" in kinds:
            return [layer for layer, kind in enumerate(kinds) if kind == "moe"]
        listed = self.inner.get("moe_layers")
        if _is_list(listed):
            return [layer for layer in range(layers) if layer in listed]
        frequency = self.inner.get("moe_layer_freq")
        if _is_list(frequency):  # one flag for each layer
            return [layer for layer, sparse in enumerate(frequency[:layers]) if sparse]
        first = self.optional("first_k_dense_replace", "moe_layer_start_index", "num_dense_layers") or 0
        step = self.optional("decoder_sparse_step", "interleave_moe_layer_step", "expert_layer_period") or 1
        offset = self.optional("expert_layer_offset")
        chosen = step - 1 if offset is None else offset  # Qwen and Llama 4: each step-th layer, counted from one
        dense = self.inner.get("mlp_only_layers")
        left_out = set(dense) if _is_list(dense) else set()
        return [layer for layer in range(first, layers) if layer % step == chosen % step and layer not in left_out]

    def kv_layers(self, layers: int) -> int:
        """Layers with keys and values that grow with the context."""
        kinds = self.kinds() or self.inner.get("layer_types")
        if _is_list(kinds):
            return sum(kind == "hybrid" or ("attention" in str(kind) and "linear" not in str(kind)) for kind in kinds)
        listed = self.inner.get("attn_layer_indices")
        if _is_list(listed):
            return len(listed)
        interval = self.optional("full_attention_interval", "attn_layer_period")
        if interval is not None:
            return layers // interval
        if self.family in {"mamba", "mamba2", "falcon_mamba", "rwkv", "rwkv7"}:
            return 0
        return layers

    def window(self, layers: int) -> tuple[int | None, int]:
        """The sliding window, and how many layers have it."""
        window = self.optional("sliding_window")
        if window is None or self.inner.get("use_sliding_window") is False:
            return None, 0
        kinds = self.inner.get("layer_types")
        if _is_list(kinds):
            return window, sum("sliding" in str(kind) for kind in kinds)
        pattern = self.optional("sliding_window_pattern", "_sliding_window_pattern")
        if pattern is None:
            pattern = {"gemma2": 2, "gemma3": 6, "cohere2": 4}.get(self.family)
        return window, layers if pattern is None else layers - layers // pattern

    def max_positions(self, tokenizer: Config | None) -> int | None:
        found = self.optional("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")
        if found is None and tokenizer is not None:
            said = tokenizer.get("model_max_length")
            # Tokenizers without a limit say 10^30.
            return said if isinstance(said, int) and 0 < said < 10**9 else None
        return found

    def dtype(self) -> Literal["float32", "float16", "bfloat16"]:
        for source in (self.inner, self.outer):
            said = str(source.get("dtype") or source.get("torch_dtype") or "").removeprefix("torch.")
            match said:
                case "float32" | "float16" | "bfloat16":
                    return said
                case "half":
                    return "float16"
                case _:
                    pass
        return "bfloat16"

    def vision(self) -> int:
        """Weights of a vision transformer by its shape: attention and feed-forward matrices only."""
        block = self.outer.get("vision_config")
        if not isinstance(block, Mapping):
            return 0
        reader = _Reader(self.name, block)
        depth = reader.optional("num_hidden_layers", "depth", "layers", "n_layers")
        width = reader.optional("hidden_size", "embed_dim", "width", "dim")
        if depth is None or width is None:
            return 0
        inner = reader.optional("intermediate_size") or 4 * width
        return depth * (4 * width**2 + 3 * width * inner)

    def notes(self, *, hybrid: bool, known: bool, vision: int, layers: int, kv_layers: int) -> list[str]:
        found = []
        if hybrid:
            found.append(
                f"{kv_layers} of {layers} layers keep keys and values; the others keep a state, whose size and weights "
                "are only estimated"
            )
        elif not known:
            found.append(
                f"the family {self.family or 'of this model'} is not known in detail: it is counted as an ordinary "
                "decoder, so its figures are estimates"
            )
        if vision:
            found.append(f"the {vision / 1e9:.1f} B weights of its vision part are estimated")
        if drafts := self.optional("num_nextn_predict_layers", "mtp_num_hidden_layers"):
            found.append(
                f"the weights of {drafts} layer{'s' if drafts > 1 else ''} that predict further tokens are not "
                "counted; engines load them for speculative decoding only"
            )
        return found

    # ---- reading

    def optional(self, *keys: str) -> int | None:
        """The first of these keys that is given; an error when it is no whole number."""
        for key in keys:
            value = self.inner.get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise _unusable(self.name, f"its {key} is {value!r}, not a whole number")
            return value
        return None

    def number(self, *keys: str) -> int:
        """The first of these keys that is given; an error when there is none or it is not positive."""
        found = self.optional(*keys)
        if not found:
            self.missing(keys[0])
        return found

    def flag(self, key: str, *, default: bool) -> bool:
        for source in (self.inner, self.outer):
            value = source.get(key)
            if isinstance(value, bool):
                return value
        return default

    def missing(self, key: str) -> NoReturn:
        raise _unusable(self.name, f"its configuration has no {key}")


def _language_part(config: Config) -> Config:
    for key in LANGUAGE_BLOCKS:
        block = config.get(key)
        if isinstance(block, Mapping):
            return _language_part(block)
    return config


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _unusable(name: str, why: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.MISSING_MODEL,
        f"the shape of {name} cannot be read",
        why=why,
        remedy="Give the folder of a language model in Hugging Face format, with its whole config.json",
        place="config.json",
    )
