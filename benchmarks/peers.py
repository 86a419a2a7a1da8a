"""What a user would write today for the work of workload.py: datasets, jinja2, a tokenizer, TRL.

`tokenizers` encodes in batches over both cores; for SentencePiece models it is built of the same
pieces (a unigram model, or merges by score), which is how they are served by `transformers`. The
other peer has gigatoken in its place.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workload import ASKS, ITEM, LENGTH, LISTS, OPENING, SHOTS

Encode = Callable[[list[str]], list[Any]]


def hub_tokenizer(path: Path) -> Any:
    """The tokenizer under Hugging Face `tokenizers`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    from flancompile.tokenizer.load import load_file
    from flancompile.tokenizer.pieces import BYTE, UNIGRAM, PieceModel

    if path.suffix == ".json":
        return Tokenizer.from_str(load_file(path).data.decode())
    about = PieceModel.of(path.read_bytes())
    pieces = [(p.text, p.score) for p in about.pieces]
    if about.model == UNIGRAM:
        unknown = next(i for i, p in enumerate(about.pieces) if p.kind == 2)
        made = Tokenizer(models.Unigram(pieces, unknown))
        single = normalizers.Replace(Regex(" {2,}"), " ")
        rules = [normalizers.Precompiled(about.charsmap), single, normalizers.Strip()]
        made.normalizer = normalizers.Sequence(rules)
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        return made
    ids = {text: i for i, (text, _) in enumerate(pieces)}
    merges = [
        (pieces[i][1], ids[text[:k]], ids[text[k:]], text[:k], text[k:])
        for text, i in ids.items() for k in range(1, len(text))
        if text[:k] in ids and text[k:] in ids
    ]  # fmt: skip
    merges.sort(key=lambda m: (-m[0], m[1], m[2]))
    fallback = any(p.kind == BYTE for p in about.pieces)
    bpe = models.BPE(ids, [(m[3], m[4]) for m in merges], unk_token="<unk>", fuse_unk=True,
                     byte_fallback=fallback)  # fmt: skip
    made = Tokenizer(bpe)
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    return made


def encoder(path: Path, kind: str) -> Encode:
    """How the peer encodes a batch of texts."""
    if kind == "gigatoken":
        import gigatoken

        data = path.read_bytes()
        if path.suffix == ".json":
            from flancompile.tokenizer.load import load_file

            fast = gigatoken.Tokenizer.from_json(load_file(path).data)
        else:
            fast = gigatoken.Tokenizer.from_sentencepiece(data)
        return lambda texts: [ids.to_numpy() for ids in fast.encode_batch(texts)]
    model = hub_tokenizer(path)

    def encode(texts: list[str]) -> list[Any]:
        return [e.ids for e in model.encode_batch_fast(texts, add_special_tokens=False)]

    return encode


def run(root: Path, tokenizer: Path, examples: int, kind: str) -> dict[str, Any]:
    """Compile `examples` examples. -> seconds by pass, tokens, packs"""
    import datasets
    import jinja2
    from trl import pack_dataset

    datasets.disable_progress_bars()
    env = jinja2.Environment(undefined=jinja2.StrictUndefined)
    asks = {name: [env.from_string(t) for t in texts] for name, texts in ASKS.items()}
    encode, eos = encoder(tokenizer, kind), 2
    seconds: dict[str, float] = {}
    started = last = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        seconds[name], last = now - last, now

    files = {n: str(root / "datasets" / f"{n}.jsonl") for n in ASKS}
    tables = {
        n: datasets.Dataset.from_json(f, cache_dir=str(root / "hf")) for n, f in files.items()
    }
    pools = {n: table.to_list() for n, table in tables.items()}
    lap("read")

    def shown(name: str, row: dict[str, Any], ask: Any, listed: bool) -> str:
        options = row.get("choices") or LISTS.get(name) or []
        text = OPENING + "\n".join(ITEM + o for o in options) if listed and options else ""
        return str(ask.render(row, options=text))

    def render(row: dict[str, Any], index: int, name: str, seed: int) -> dict[str, str]:
        chance = random.Random(f"{seed} {name} {index}")
        ask, listed = chance.choice(asks[name]), chance.random() < 0.5
        others = chance.sample(pools[name], chance.choice(SHOTS))
        parts = [f"{shown(name, s, ask, listed)}\n{s['answer']}" for s in others]
        prompt = "\n\n".join([*parts, shown(name, row, ask, listed) + "\n"])
        return {"prompt": prompt, "target": row["answer"]}

    total = sum(map(len, tables.values()))
    parts = []
    for name, table in tables.items():
        left, seed = round(examples * len(table) / total), 0
        while left > 0:
            some = table.select(range(min(left, len(table))))
            about = {"name": name, "seed": seed}
            parts.append(some.map(render, with_indices=True, fn_kwargs=about,
                                  remove_columns=table.column_names))  # fmt: skip
            left, seed = left - len(some), seed + 1
    data = datasets.concatenate_datasets(parts)
    lap("render")

    def tokenise(batch: dict[str, list[str]]) -> dict[str, list[Any]]:
        pairs = list(zip(encode(batch["prompt"]), encode(batch["target"]), strict=True))
        ids = [[*p, eos, *t, eos] for p, t in pairs]
        masks = [[0] * (len(p) + 1) + [1] * (len(t) + 1) for p, t in pairs]
        return {"input_ids": ids, "completion_mask": masks}

    data = data.map(tokenise, batched=True, remove_columns=data.column_names)
    lap("tokenise")
    tokens = sum(map(len, data["input_ids"]))
    lap("count")
    packed = pack_dataset(data, seq_length=LENGTH, strategy="bfd")
    packed.save_to_disk(str(root / "packed"))
    lap("pack and write")
    kept = sum(map(len, packed["input_ids"]))
    whole = time.perf_counter() - started
    return {
        "seconds": sum(s for n, s in seconds.items() if n != "count"), "passes": seconds,
        "tokens": tokens, "packs": len(packed), "fill": kept / (len(packed) * LENGTH),
        "whole": whole,
    }  # fmt: skip


if __name__ == "__main__":
    import sys

    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
