"""The whole road on real datasets: every example of each build is held against the reference."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run

import flancompile
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
from flancompile.trainer.log import read_metrics

HERE = Path(__file__).parent
RECIPES = ("gpt2_decoder", "t5_encoder_decoder", "trained_decoder", "trained_t5_shape")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """A copy beside the shared folder's place, since learnt tokenizers are pinned in recipes/."""
    root = tmp_path_factory.mktemp("repo")
    (root / "shared").symlink_to(shared.parent)
    shutil.copytree(HERE, root / "checkout" / "tests" / "real")
    return root / "checkout" / "tests" / "real"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real_cache")


@pytest.fixture(scope="module")
def built(library: Path, cache: Path) -> Callable[[str], Build]:
    made: dict[str, Build] = {}

    def build(recipe: str) -> Build:
        if recipe not in made:
            out = cache / "builds" / recipe
            made[recipe] = flancompile.compile(recipe, out, library=[library], cache=cache)
        return made[recipe]

    return build


def test_the_library_has_no_complaints(library: Path) -> None:
    assert flancompile.check(library) == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_build_is_sound(built: Callable[[str], Build], recipe: str) -> None:
    build = built(recipe)
    assert verify(build) == []
    manifest = build.manifest
    assert len(manifest.tasks) == 34
    assert manifest.empty == ()
    for task in manifest.tasks:
        assert task.examples == task.examples_requested > 0
        assert abs(task.share_realised - task.share_requested) * manifest.counts["examples"] <= 1
    if manifest.layout == "decoder":
        assert manifest.packing["fill"][0] > 0.99
    assert manifest.packing["packs"] <= 1.05 * manifest.packing["lower_bound"]


def rendered(library: Path, cache: Path, recipe: str) -> Iterator[tuple[tuple[str, int, int], Any]]:
    """(task, row, pass) -> (prompt, target, exemplars) rendered anew, without the cached objects."""
    request = request_of(recipe, library=(library,), cache=Cache(cache))
    prepared = prepare(request, None)
    context = prepared.context
    for id_, planned in prepared.planned.items():
        spec = context.spec(planned.task, planned.arms)
        job = context.jobs(planned.task, spec, "train")
        blocks = context.reads[planned.task.source_id, "train"]
        for block in range(len(blocks.block_rows)):
            for epoch in range(2):
                made = job(block, epoch)
                rows, _, _ = block_rows(made)
                renderer = Renderer(spec, rows, pools_of(made, rows), {})
                for fitted in fit(renderer, prepared.tokenizer, context.budget):
                    draft = fitted.draft
                    prompt = "".join(draft.pieces(spec.shots_styles))
                    key = (id_, int(rows.digests[draft.row]), epoch)
                    yield key, (prompt, draft.target, draft.exemplars)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_example_is_the_reference_s(
    built: Callable[[str], Build], library: Path, cache: Path, recipe: str
) -> None:
    """Prompt ids == the reference tokenizer's of the shown text; loss ids == target + eos."""
    build = built(recipe)
    tokenizer = load_folder(build.tokenizer_folder)
    texts = dict(rendered(library, cache, recipe))
    frame = build.manifest.frame
    before = [] if frame["before"] is None else [frame["before"]]
    join = [] if frame["after_prompt"] is None else [frame["after_prompt"]]
    eos = [frame["after_target"]]
    examples = [e for batch in build.examples() for e in batch.to_pylist()]
    shown = [texts[e["task"], e["row"], e["pass"]] for e in examples]
    prompts = tokenizer.reference([p for p, _, _ in shown])
    targets = tokenizer.reference([t for _, t, _ in shown])
    exact = 0
    for place, example in enumerate(examples):
        _, tokens = build.example_ids(example["pack"], example["segment"])
        prompt, target = prompts[place].tolist(), targets[place].tolist()
        if build.manifest.layout == "decoder":
            assert tokens["tokens"].tolist() == before + prompt + join + target + eos
        else:
            assert tokens["inputs"].tolist() == prompt + join
            assert tokens["targets"].tolist() == target + eos
        assert example["row"] not in example["exemplars"]
        assert example["exemplars"] == shown[place][2]
        gives_back = tokenizer.decode(target) == shown[place][1]
        assert gives_back == example["exact"]
        exact += gives_back
    assert build.manifest.counts["inexact_targets"] == len(examples) - exact
    if tokenizer.lossless:
        assert exact == len(examples)


def test_the_mask_is_on_targets_alone(built: Callable[[str], Build]) -> None:
    build = built("gpt2_decoder")
    feed = flancompile.feed.open(build, batch_packs=8, seed=3)
    loss = sum(float(feed.batch(step)["loss_weights"].sum()) for step in range(50))
    packs = np.concatenate([feed.indexes(step) for step in range(50)])
    assert loss == sum(int(build.packs[int(p)].loss_spans.sides[:, 1].sum()) for p in packs)
    assert feed.stream_hash(3, hosts=1) == feed.stream_hash(3, hosts=4)


def test_arms_come_in_their_shares(built: Callable[[str], Build]) -> None:
    tasks = {t.task: t for t in built("gpt2_decoder").manifest.tasks}
    for task in tasks.values():
        few = sum(n for k, n in task.shots_asked.items() if k > 0) / task.examples
        assert 0.3 < few < 0.7, task.task
    boolq = tasks["boolq/boolean_qa"]
    assert 0.4 < boolq.with_options / boolq.examples < 0.6
    gsm8k = tasks["cot_gsm8k/arithmetic"]
    assert 0.4 < gsm8k.cot / gsm8k.examples < 0.6


def test_odd_files_lose_nothing(built: Callable[[str], Build]) -> None:
    build = built("gpt2_decoder")
    rows = {t.task: t.rows for t in build.manifest.tasks}
    assert rows["mrpc/paraphrase"] == 3576
    assert rows["xquad.en/extractive_qa"] == rows["xquad.de/extractive_qa"] == 1190
    assert rows["trec/question_classification"] == 5452
    ledger = build.ledger().to_pylist()
    lost = Counter(
        r["reason"]
        for r in ledger
        if r["task"].startswith("trec") and r["disposition"] == "dropped"
    )
    assert lost == {"bytes that are not in the file's encoding (train.txt:66)": 2}


def test_evaluation_keeps_texts_and_candidates(built: Callable[[str], Build]) -> None:
    build = built("gpt2_decoder")
    table, about = build.evaluation("superglue_rte/entailment")
    assert (about["metric"], about["random_baseline"]) == ("accuracy", 0.5)
    tokenizer = load_folder(build.tokenizer_folder)
    for row in table.to_pylist():
        assert row["options"][row["gold"]] == row["target"]
        assert row["target_ids"] == row["option_ids"][row["gold"]]
        assert tokenizer.decode(row["prompt_ids"]) == row["prompt"]
        assert row["accepted"]
    table, _ = build.evaluation("cot_gsm8k/arithmetic")
    assert set(table["shots"].to_pylist()) == {3}


def test_a_learnt_tokenizer_is_pinned(
    built: Callable[[str], Build], library: Path, cache: Path, tmp_path: Path
) -> None:
    build = built("trained_decoder")
    lock = library / "recipes" / "trained_decoder.lock.json"
    assert json.loads(lock.read_text())["tokenizer"]["digest"] == build.manifest.tokenizer.digest
    again = flancompile.compile(
        "trained_decoder", tmp_path / "b", library=[library], cache=tmp_path / "c"
    )
    assert again.manifest.root_digest == build.manifest.root_digest


def test_sizes_in_tokens_are_reached_by_one_example(built: Callable[[str], Build]) -> None:
    by_target = built("trained_decoder").manifest
    most = max(t.target_tokens / t.examples for t in by_target.tasks) * 30
    assert 0 <= by_target.counts["target_tokens"] - 200_000 < most
    by_all = built("trained_t5_shape").manifest
    assert 0 <= by_all.counts["tokens"] - 2_000_000 < 2048


def test_two_workers_make_the_same_build(
    built: Callable[[str], Build], library: Path, tmp_path: Path
) -> None:
    one = built("gpt2_decoder").manifest
    two = flancompile.compile(
        "gpt2_decoder", tmp_path / "b", library=[library], cache=tmp_path / "c", workers=2
    )
    assert two.manifest.root_digest == one.root_digest
    assert two.manifest == one


def test_twenty_steps_of_training(
    library: Path, built: Callable[[str], Build], tmp_path: Path
) -> None:
    build = built("trained_decoder")
    run(
        "train",
        str(library / "runs/real.yaml"),
        "--build",
        str(build.path),
        "-o",
        "run",
        cwd=tmp_path,
    )
    losses = [m["loss"] for m in read_metrics(tmp_path / "run")]
    assert len(losses) == 20
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
