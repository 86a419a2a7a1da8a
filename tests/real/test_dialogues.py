"""ShareGPT and Alpaca files as they are: every run of every dialogue against the reference."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys

import flancompile.feed
from flancompile.compiler.cache import Cache
from flancompile.compiler.objects.build import block_rows, pools_of
from flancompile.compiler.objects.fit import fit
from flancompile.compiler.pipeline import prepare
from flancompile.compiler.render.renderer import Renderer
from flancompile.compiler.request import request_of
from flancompile.store.build import Build
from flancompile.store.verify import verify
from flancompile.tokenizer.load import load_folder

pytestmark = pytest.mark.slow

FILES = {
    "tools": "glaive_toolcall_en_demo",
    "english": "alpaca_en_demo",
    "chinese": "alpaca_zh_demo",
}
CHATML = """{%- for m in messages -%}
{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif -%}"""


def built(root: Path, shared: Path, **recipe: Any) -> tuple[Build, toys.Library]:
    made = toys.Library(root / "lib")
    for name, file in FILES.items():
        source = {"files": {"train": str(shared / "instruction_demos" / f"{file}.json")}}
        template = {"name": "whole", "turns": {"each": "messages"}}
        about = {
            "source": source,
            "fields": {"messages": "row | chat"},
            "tasks": {"chat": {"signature": "-> messages", "templates": [template]}},
        }
        made.write(f"datasets/{name}.yaml", about)
    made.mixture()
    gpt2 = {"file": str(shared / "tokenizers" / "gpt2.json")}
    about = {"tokenizer": {**gpt2, **recipe.pop("tokenizer", {})}, "lengths": {"pack": 2048}}
    made.recipe(size={"passes": 1}, **{**about, **recipe})
    made.write("recipes/chat.jinja", CHATML)
    return made.compile(root / "out", root / "cache"), made


OWN = {
    "styles": {"chat": ["tokenizer"]},
    "tokenizer": {"chat_template": "chat.jinja"},
    "frame": {"bos": False, "join": "none", "eos": False},
}


@pytest.mark.parametrize("recipe", [{}, OWN], ids=["styles", "template"])
def test_every_run_is_the_reference_s(tmp_path: Path, shared: Path, recipe: dict[str, Any]) -> None:
    build, made = built(tmp_path, shared, **recipe)
    assert verify(build) == []
    dropped = {d["reason"]: d["rows"] for d in build.dropped()}
    assert build.manifest.counts["examples"] > 2250, dropped
    tokenizer = load_folder(build.tokenizer_folder)
    places = {
        (x["task"], x["row"]): (x["pack"], x["segment"])
        for batch in build.examples()
        for x in batch.to_pylist()
    }
    request = request_of("r", library=(made.root,), cache=Cache(tmp_path / "cache"))
    context = (prepared := prepare(request, None)).context
    many = 0
    for id_, planned in prepared.planned.items():
        spec = context.spec(planned.task, planned.arms)
        job = context.jobs(planned.task, spec, "train")(0, 0)
        rows, _, _ = block_rows(job)
        for one in fit(Renderer(spec, rows, pools_of(job, rows), {}), tokenizer, context.budget):
            place = places.get((id_, int(rows.digests[one.draft.row])))
            if place is None:
                continue
            spans, kept = one.draft.texts(spec), build.content(*place)
            if recipe:
                assert np.array_equal(
                    np.concatenate(kept), tokenizer.reference(["".join(spans)])[0]
                )
                assert all(text.endswith("<|im_end|>\n") for text in spans[1::2])
            for text, ids in zip(spans, kept, strict=True):
                assert np.array_equal(ids, tokenizer.reference([text])[0])
                assert tokenizer.decode(ids) == text
            many += len(spans) > 2
    assert many > 250


def test_feeding_a_dialogue_weighs_its_answers(tmp_path: Path, shared: Path) -> None:
    build, _ = built(tmp_path, shared)
    weights = tokens = 0.0
    feed = flancompile.feed.open(build, 4)
    for step in range(int(feed.steps_per_epoch)):
        batch = feed.batch(step)
        weights += float(batch["loss_weights"].sum())
        tokens += float((batch["segment_ids"] > 0).sum())
    assert 0.4 < weights / tokens < 0.9
