"""What is known of a model that is not loaded: shapes, sizes, precision."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from autotuner.contracts.values import Frozen


class Part(StrEnum):
    """Kinds of weights. Layouts split them, and quantisation changes them, in different ways."""

    EMBEDDING = "embedding"
    HEAD = "output head"
    ATTENTION = "attention"
    MLP = "mlp"
    EXPERTS = "experts"
    SHARED = "shared experts"
    ROUTER = "router"
    NORMS = "norms"
    VISION = "vision"


LINEAR = (Part.ATTENTION, Part.MLP, Part.EXPERTS, Part.SHARED)
"""Parts that quantisation changes unless a checkpoint leaves some of them out."""


class Quantisation(Frozen):
    """How the weights of a checkpoint are stored."""

    method: str = Field(description="awq, gptq, fp8, compressed-tensors and the like")
    scheme: str = Field("", description="what the method did, where it knows several: nvfp4, w4a16, Q4_K_M")
    bits: float = Field(gt=0, description="bits per quantised weight, with its share of scales and zero points")
    parts: tuple[Part, ...] = Field(LINEAR, description="the quantised kinds of weights")
    kv_dtype: str | None = Field(None, description="type of the KV cache, if the checkpoint brings its scales")
    source: str = Field(description="where it is said: a file, or the name")

    @property
    def label(self) -> str:
        """``awq``, ``modelopt nvfp4``."""
        return f"{self.method} {self.scheme}".strip()


class LatentAttention(Frozen):
    """Multi-head latent attention (DeepSeek): the KV cache holds one compressed vector per token and layer."""

    q_lora_rank: int | None = Field(None, description="rank of the query projection; None: it is one full matrix")
    kv_lora_rank: int = Field(gt=0, description="width of the compressed keys and values")
    qk_nope_head_dim: int = Field(gt=0, description="width of a query head without position")
    qk_rope_head_dim: int = Field(gt=0, description="width of a query head with position; shared by all heads in KV")
    v_head_dim: int = Field(gt=0, description="width of a value head")


class Experts(Frozen):
    """Layers of which each token uses some experts only (mixture of experts)."""

    count: int = Field(gt=0, description="experts of a layer, without shared ones")
    per_token: int = Field(gt=0, description="experts that one token uses")
    intermediate_size: int = Field(gt=0, description="inner width of one expert")
    shared_size: int = Field(0, ge=0, description="inner width of all experts together that every token uses")
    layers: tuple[int, ...] = Field(description="layers that have experts, from 0; the others are dense")


class ModelFacts(Frozen):
    """A decoder-only language model as its config.json describes it."""

    name: str = Field(description="name or folder")
    architecture: str = Field(description="class that runs it, such as LlamaForCausalLM")
    model_type: str = Field(description="family, such as llama")
    layers: int = Field(gt=0, description="decoder layers, without those that only predict further tokens")
    hidden_size: int = Field(gt=0, description="width of the residual stream")
    heads: int = Field(gt=0, description="attention heads")
    kv_heads: int = Field(gt=0, description="heads of keys and values: as many as heads, fewer (GQA) or one (MQA)")
    head_dim: int = Field(gt=0, description="width of a head")
    intermediate_size: int = Field(ge=0, description="inner width of dense layers")
    gated_mlp: bool = Field(True, description="three matrices in a feed-forward part (gate, up, down), not two")
    latent: LatentAttention | None = Field(None, description="set for multi-head latent attention")
    experts: Experts | None = Field(None, description="set for a mixture of experts")
    vocab_size: int = Field(gt=0, description="rows of the embedding")
    tied_embeddings: bool = Field(False, description="embedding and output head are one matrix")
    learned_positions: int = Field(0, ge=0, description="rows of a table of positions; 0: computed positions")
    max_positions: int | None = Field(None, description="longest context, tokens; None: not said")
    sliding_window: int | None = Field(None, description="tokens that a layer with a window looks back, if any has one")
    window_layers: int = Field(0, ge=0, description="layers that have this window")
    kv_layers: int = Field(ge=0, description="layers that keep keys and values; fewer than all in hybrid models")
    dtype: Literal["float32", "float16", "bfloat16"] = Field("bfloat16", description="type of weights not quantised")
    vision_parameters: int = Field(0, ge=0, description="weights of the part that reads images, estimated")
    quantisation: Quantisation | None = Field(None, description="set for a checkpoint that is already quantised")
    checkpoint_bytes: int | None = Field(None, description="size of the weight files, bytes, where they are at hand")
    estimated: bool = Field(False, description="the family is not known in detail: its figures are guesses")
    notes: tuple[str, ...] = Field((), description="what a reader must know of these figures; whole sentences")

    @property
    def attention(self) -> str:
        """MHA, GQA, MQA or MLA."""
        if self.latent is not None:
            return "MLA"
        if self.kv_heads == self.heads:
            return "MHA"
        return "MQA" if self.kv_heads == 1 else "GQA"

    def has_experts(self, layer: int) -> bool:
        """Whether that layer, from 0, has experts."""
        return self.experts is not None and layer in self.experts.layers
