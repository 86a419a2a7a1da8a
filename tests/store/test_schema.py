"""The schemas of packs: types by layout and vocabulary, read back from a written build."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flancompile.store.build import Build
from flancompile.store.schema import EXAMPLES, LEDGER, packs_schema, token_columns


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
@pytest.mark.parametrize("layout", ["decoder", "encoder_decoder"])
def test_packs_have_fixed_lists_of_tokens(layout: str, dtype: str) -> None:
    lengths = {name: 8 + place for place, name in enumerate(token_columns(layout))}
    schema = packs_schema(layout, lengths, dtype)
    assert schema.names == [*lengths, "example", "runs"]
    for name, length in lengths.items():
        kind = schema.field(name).type
        assert (kind.list_size, str(kind.value_type)) == (length, dtype)
        assert not schema.field(name).nullable and not kind.value_field.nullable
    assert str(schema.field("example").type.value_type) == "uint64"
    assert str(schema.field("runs").type.value_type.value_type) == "uint32"


def test_a_written_build_has_the_schemas(planned: Callable[..., Any], tmp_path: Path) -> None:
    plan = planned(10)
    manifest = plan.write(tmp_path / "b")
    build = Build.open(tmp_path / "b")
    packs = packs_schema("decoder", manifest.lengths, "uint16")
    found = [b.schema for e in manifest.shards for b in build.batches_of(e)]
    assert found == [packs] * len(found) != []
    examples = pa.Table.from_batches(build.examples())
    assert examples.schema == EXAMPLES
    assert examples["example"].to_pylist() == list(range(10))
    assert build.ledger().schema.equals(LEDGER, check_metadata=False)
