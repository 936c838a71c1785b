"""Parameters of llama.cpp as served by xllamacpp 2026.10.11549.

Flags are those of ``llama-server``, which our launcher shares; defaults are those of a fresh ``CommonParams``. Two
parameters are ours and written as the engine's own: ``max_model_len`` (per request; the engine only knows the total)
and ``cache_type`` (both KV caches).
"""

from __future__ import annotations

from autotuner.contracts.engine import Catalogue, CatalogueParameter

VERSION = "2026.10.11549"
MAX_PARALLEL = 256
"""Slots that the engine takes at most (n_seq_max)."""
MIN_BATCH = 2
"""With less the engine aborts while it starts: it decodes two tokens at once."""
MAX_THREADS = 512
"""GGML_MAX_N_THREADS."""
CONTEXT_STEP = 256
"""The engine rounds the context of a slot up to a multiple of this."""

FULL_CACHE_TYPES = ("f32", "f16", "bf16")
QUANTISED_CACHE_TYPES = ("q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
CACHE_TYPES = FULL_CACHE_TYPES + QUANTISED_CACHE_TYPES
LOAD_MODES = ("auto", "none", "mmap", "mlock", "mmap+mlock", "dio")
NUMA_MODES = ("disabled", "distribute", "isolate", "numactl")

CATALOGUE = Catalogue(
    engine="llamacpp",
    version=VERSION,
    parameters=(
        CatalogueParameter(
            name="n_ctx",
            flag="--ctx-size",
            aliases=("ctx_size", "c"),
            type="int",
            low=0,
            unit="tokens",
            help="context of all slots together; 0: the model's context length for each slot; left out: what the "
            "longest request of the workload needs, times n_parallel",
        ),
        CatalogueParameter(
            name="max_model_len",
            flag="--max-model-len",
            aliases=("context_length", "max_seq_len"),
            type="int",
            low=1,
            unit="tokens",
            help="prompt and answer of one request; written as n_ctx = n_parallel × max_model_len",
        ),
        CatalogueParameter(
            name="n_parallel",
            flag="--parallel",
            aliases=("parallel", "np", "max_num_seqs", "max_batch_size", "max_running_requests"),
            type="int",
            low=1,
            high=MAX_PARALLEL,
            default=1,
            unit="requests",
            help="slots: requests that are decoded at the same time",
            commonly_tuned=(1, 2, 4, 8, 16, 32),
        ),
        CatalogueParameter(
            name="n_batch",
            flag="--batch-size",
            aliases=("batch_size", "b", "max_num_batched_tokens"),
            type="int",
            low=MIN_BATCH,
            default=2048,
            unit="tokens",
            help="most tokens of all slots that are taken into one step",
            commonly_tuned=(64, 128, 256, 512, 1024, 2048),
        ),
        CatalogueParameter(
            name="n_ubatch",
            flag="--ubatch-size",
            aliases=("ubatch_size", "ub"),
            type="int",
            low=1,
            default=512,
            unit="tokens",
            help="most tokens that are computed at once; small: short gaps between tokens, large: fast prompts",
            commonly_tuned=(32, 64, 128, 256, 512, 1024),
        ),
        CatalogueParameter(
            name="threads",
            flag="--threads",
            aliases=("t", "n_threads"),
            type="int",
            low=1,
            high=MAX_THREADS,
            unit="threads",
            help="threads for generating; left out: the cores that the server may use, else the machine's",
            commonly_tuned=(1, 2, 4, 8, 16),
        ),
        CatalogueParameter(
            name="threads_batch",
            flag="--threads-batch",
            aliases=("tb", "n_threads_batch"),
            type="int",
            low=1,
            high=MAX_THREADS,
            unit="threads",
            help="threads for prompts and batches; left out: as many as threads",
            commonly_tuned=(1, 2, 4, 8, 16),
        ),
        CatalogueParameter(
            name="cache_type",
            flag="--cache-type",
            aliases=("kvcache", "kv_cache_dtype", "kvcache_dtype"),
            type="choice",
            choices=CACHE_TYPES,
            default="f16",
            help="type of both KV caches; to set them apart, leave this out and set cache_type_k and cache_type_v",
            commonly_tuned=("f16", "q8_0", "q4_0"),
        ),
        CatalogueParameter(
            name="cache_type_k",
            flag="--cache-type-k",
            aliases=("ctk",),
            type="choice",
            choices=CACHE_TYPES,
            default="f16",
            help="type of the K cache",
            commonly_tuned=("f16", "bf16", "q8_0", "q4_0"),
        ),
        CatalogueParameter(
            name="cache_type_v",
            flag="--cache-type-v",
            aliases=("ctv",),
            type="choice",
            choices=CACHE_TYPES,
            default="f16",
            help="type of the V cache; a quantised one needs flash attention",
            commonly_tuned=("f16", "bf16", "q8_0", "q4_0"),
        ),
        CatalogueParameter(
            name="flash_attn",
            flag="--flash-attn",
            aliases=("fa", "attention_backend"),
            type="choice",
            choices=("auto", "on", "off"),
            default="auto",
            help="flash attention",
            commonly_tuned=("auto", "on", "off"),
        ),
        CatalogueParameter(
            name="cont_batching",
            flag="--cont-batching",
            aliases=("cb",),
            type="bool",
            default=True,
            help="take new requests in while others are being answered",
            commonly_tuned=(True, False),
        ),
        CatalogueParameter(
            name="kv_unified",
            flag="--kv-unified",
            aliases=("kvu",),
            type="bool",
            default=False,
            help="one KV buffer that all slots share, instead of one part per slot",
            commonly_tuned=(False, True),
        ),
        CatalogueParameter(
            name="cache_prompt",
            flag="--cache-prompt",
            aliases=("prefix_caching", "enable_prefix_caching"),
            type="bool",
            default=True,
            help="reuse the KV cache of a slot for the common start of the next prompt",
            commonly_tuned=(True, False),
        ),
        CatalogueParameter(
            name="cache_ram_mib",
            flag="--cache-ram",
            aliases=("cache_ram", "cram"),
            type="int",
            low=-1,
            default=8192,
            unit="MiB",
            help="main memory for prompts that left their slot; 0: none, -1: no limit",
            commonly_tuned=(0, 1024, 8192),
        ),
        CatalogueParameter(
            name="n_cache_reuse",
            flag="--cache-reuse",
            aliases=("cache_reuse",),
            type="int",
            low=0,
            default=0,
            unit="tokens",
            help="least length of a chunk that is reused by shifting the KV cache; 0: off",
            commonly_tuned=(0, 64, 256),
        ),
        CatalogueParameter(
            name="slot_prompt_similarity",
            flag="--slot-prompt-similarity",
            aliases=("sps",),
            type="float",
            low=0.0,
            high=1.0,
            default=0.1,
            help="how much of a prompt must match a slot's last one to go there; 0: off",
        ),
        CatalogueParameter(
            name="swa_full",
            flag="--swa-full",
            type="bool",
            default=False,
            help="full-size cache for models with sliding-window attention",
        ),
        CatalogueParameter(
            name="poll",
            flag="--poll",
            type="int",
            low=0,
            high=100,
            default=50,
            unit="%",
            help="how eagerly idle threads wait for work: 0 sleeps, 100 spins",
            commonly_tuned=(0, 50, 100),
        ),
        CatalogueParameter(
            name="prio",
            flag="--prio",
            type="int",
            low=-1,
            high=3,
            default=0,
            help="priority of the threads: -1 low, 0 normal, 1 medium, 2 high, 3 real time",
            commonly_tuned=(0, 1, 2),
        ),
        CatalogueParameter(
            name="n_threads_http",
            flag="--threads-http",
            aliases=("threads_http",),
            type="int",
            low=1,
            unit="threads",
            help="threads that handle HTTP requests; left out: the engine decides",
            commonly_tuned=(2, 4, 8),
        ),
        CatalogueParameter(
            name="no_extra_bufts",
            flag="--no-repack",
            aliases=("no_repack",),
            type="bool",
            default=False,
            help="keep quantised weights as they are instead of repacking them for this CPU",
            commonly_tuned=(False, True),
        ),
        CatalogueParameter(
            name="load_mode",
            flag="--load-mode",
            aliases=("lm",),
            type="choice",
            choices=LOAD_MODES,
            default="auto",
            help="how the weights get into memory",
            commonly_tuned=("auto", "none", "mmap"),
        ),
        CatalogueParameter(
            name="numa",
            flag="--numa",
            type="choice",
            choices=NUMA_MODES,
            default="disabled",
            help="placement on machines with several memory nodes",
        ),
        CatalogueParameter(
            name="warmup",
            flag="--warmup",
            type="bool",
            default=True,
            help="run the model once before the server answers",
        ),
        CatalogueParameter(
            name="fit",
            flag="--fit",
            aliases=("fit_params",),
            type="choice",
            choices=("on", "off"),
            default="on",
            help="let the engine adjust what was left out to the memory of its devices",
        ),
    ),
)
