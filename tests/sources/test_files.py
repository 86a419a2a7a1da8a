import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from flancompile.dsl.models.source import ReadOptions
from flancompile.errors import FlancompileError
from flancompile.sources.files import explode, format_of, read_rows
from flancompile.sources.rows import BadRow


def rows(path: Path, data: bytes | str, **options: Any) -> list[Any]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    found = read_rows(path, format_of(path, None), ReadOptions(**options))
    return [f"{r.where}: {r.reason}" if isinstance(r, BadRow) else r for r in found]


def test_json_lines(tmp_path: Path) -> None:
    text = '\ufeff{"a": 1}\n\n{"a": "x\u2028y"}\r\n[1]\n{bad\n{"a": 2}'
    found = rows(tmp_path / "a.jsonl", text)
    assert found[:2] == [{"a": 1}, {"a": "x\u2028y"}]
    assert found[2] == "a.jsonl:4: the line is no JSON object"
    assert found[3].startswith("a.jsonl:5: not JSON: Expecting property name")
    assert found[4:] == [{"a": 2}]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_compression(tmp_path: Path, suffix: str) -> None:
    data = b'{"a": 1}\n{"a": 2}\n'
    packed = {
        "": data,
        ".gz": gzip.compress(data),
        ".zst": zstandard.compress(data[:9]) + zstandard.compress(data[9:]),
    }
    assert rows(tmp_path / f"a.jsonl{suffix}", packed[suffix]) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_stream_that_ends_too_soon_is_an_error(tmp_path: Path, suffix: str) -> None:
    data = b"".join(b'{"a": %d}\n' % i for i in range(5000))
    packed = gzip.compress(data) if suffix == ".gz" else zstandard.compress(data)
    with pytest.raises(FlancompileError, match="damaged or incomplete") as caught:
        rows(tmp_path / f"a.jsonl{suffix}", packed[: len(packed) // 2])
    assert caught.value.code == "FC304"


def test_bytes_that_are_not_in_the_encoding(tmp_path: Path) -> None:
    data = b"good\nbad \xf0 byte\nend"
    assert rows(tmp_path / "a.txt", data) == [
        {"text": "good"},
        "a.txt:2: bytes that are not in the file's encoding",
        {"text": "end"},
    ]
    assert rows(tmp_path / "a.txt", data, errors="replace")[1] == {"text": "bad \ufffd byte"}
    assert rows(tmp_path / "a.txt", data, encoding="latin-1")[1] == {"text": "bad ð byte"}


def test_utf_16(tmp_path: Path) -> None:
    assert rows(tmp_path / "a.txt", "é\nx".encode("utf-16"), encoding="utf-16") == [
        {"text": "é"},
        {"text": "x"},
    ]


def test_tsv_takes_quotes_as_they_are(tmp_path: Path) -> None:
    text = 'a\tb\r\n"open\tx\r\ny"\t"z"\r\n\r\none\r\n'
    assert rows(tmp_path / "a.tsv", text) == [
        {"a": '"open', "b": "x"},
        {"a": 'y"', "b": '"z"'},
        "a.tsv:5: 1 values for 2 columns",
    ]


def test_csv(tmp_path: Path) -> None:
    text = 'a,b\n"x, y","line\nbreak"\n1,2\n'
    assert rows(tmp_path / "a.csv", text) == [
        {"a": "x, y", "b": "line\nbreak"},
        {"a": "1", "b": "2"},
    ]
    assert rows(tmp_path / "a.csv", "1;2\n", delimiter=";", header=False, columns=("p", "q")) == [
        {"p": "1", "q": "2"}
    ]
    assert rows(tmp_path / "b.csv", "1,2\n", header=False) == [{"column1": "1", "column2": "2"}]


BODY = "".join(f"{i},q{i},a{i}\n" for i in range(3, 60))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'id,q,a\n1,x,y\n2,z,"open\n{BODY}', 3),  # to the end of the file
        (f'id,q,a\n1,x,y\n2,"open,z\n{BODY}60,"good",y\n{BODY}', 3),  # to the next quote
        ('id,q,a\n1,x,"two\nlines"\n2,"fine\nyet","open\n', 5),  # the second of a record
        ('id,q,a\r\n1,x,"a ""quoted"" open', 2),
    ],
)
def test_a_quote_that_is_not_closed_is_an_error(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(FlancompileError, match=f"a.csv:{line}: a quote opens here") as caught:
        rows(tmp_path / "a.csv", text)
    assert caught.value.code == "FC304"


def test_quotes_that_are_odd_but_closed_are_read(tmp_path: Path) -> None:
    text = 'a,b\n5" disk,"x"y\n"say ""hi""\n, twice" ,z\n"l","m\n""n"""'
    assert rows(tmp_path / "a.csv", text) == [
        {"a": '5" disk', "b": "xy"},
        {"a": 'say "hi"\n, twice ', "b": "z"},
        {"a": "l", "b": 'm\n"n"'},
    ]
    text = 'a,b\n1,2\n"x\ny"\n3,4\n'
    assert rows(tmp_path / "a.csv", text)[1] == "a.csv:3: 1 values for 2 columns"


def test_lines_in_groups(tmp_path: Path) -> None:
    text = "a\nb\n\nc\n\n\nd\n"
    assert rows(tmp_path / "a.txt", text, blank=True) == [
        {"lines": ["a", "b"]},
        {"lines": ["c"]},
        {"lines": ["d"]},
    ]
    assert rows(tmp_path / "a.txt", text, lines=3) == [
        {"lines": ["a", "b", ""]},
        {"lines": ["c", "", ""]},
        "a.txt:7: the last 1 lines are fewer than a row's",
    ]
    assert rows(tmp_path / "a.txt", "a\nb\n\n", lines=2) == [{"lines": ["a", "b"]}]
    bad = rows(tmp_path / "a.txt", b"a\n\xf0\nb\nc\n", lines=2)
    assert bad == ["a.txt:2: bytes that are not in the file's encoding", {"lines": ["b", "c"]}]


def test_an_option_that_the_format_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(
        FlancompileError, match="'rows' is not an option of csv, which has"
    ) as caught:
        rows(tmp_path / "a.csv", "a\n", rows="x")
    assert caught.value.code == "FC303"


@pytest.mark.parametrize("name", ["utf-8", "UTF_8", "utf8", "U8"])
def test_a_byte_order_mark_is_taken_off(tmp_path: Path, name: str) -> None:
    assert rows(tmp_path / "a.csv", "\ufeffa\n1\n", encoding=name) == [{"a": "1"}]


def test_escapes(tmp_path: Path) -> None:
    found = rows(tmp_path / "a.tsv", "a\nx\\ny\\\\n\\q\n", unescape=True)
    assert found == [{"a": "x\ny\\n\\q"}]


def test_json_array_and_path(tmp_path: Path) -> None:
    assert rows(tmp_path / "a.json", ' [{"a": 1},\n {"a": [2, {"b": "]"}]} ]') == [
        {"a": 1},
        {"a": [2, {"b": "]"}]},
    ]
    assert rows(tmp_path / "a.json", '{"x": {"y": [{"a": 1}]}}', rows="x.y") == [{"a": 1}]
    assert rows(tmp_path / "a.json", '{"a": 1}') == [{"a": 1}]
    with pytest.raises(FlancompileError, match="names 'z'; the file has y"):
        rows(tmp_path / "a.json", '{"x": {"y": []}}', rows="x.z")
    for broken in ('[{"a": 1}', '[{"a": 1}, {"b"]', "{"):
        with pytest.raises(FlancompileError) as caught:
            rows(tmp_path / "a.json", broken)
        assert caught.value.code == "FC304"


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.text() | st.integers() | st.none(), max_size=4),
        max_size=20,
    )
)
def test_json_arrays_stream(tmp_path_factory: pytest.TempPathFactory, value: list[Any]) -> None:
    import json

    import flancompile.sources.json_rows as files

    path = tmp_path_factory.mktemp("json") / "a.json"
    before = files.WINDOW
    try:
        files.WINDOW = 7
        assert rows(path, json.dumps(value)) == value
    finally:
        files.WINDOW = before


def test_parquet_and_arrow(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2, 3], "b": [["x"], [], None]})
    parquet.write_table(table, tmp_path / "a.parquet")
    with (
        pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as writer,
    ):
        writer.write_table(table)
    with (
        pa.OSFile(str(tmp_path / "b.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table)
    for name in ("a.parquet", "a.arrow", "b.arrow"):
        path = tmp_path / name
        assert list(read_rows(path, format_of(path, None), ReadOptions())) == table.to_pylist()
    (tmp_path / "c.parquet").write_bytes(b"no")
    with pytest.raises(FlancompileError, match="not Parquet"):
        list(read_rows(tmp_path / "c.parquet", "parquet", ReadOptions()))


def test_xml(tmp_path: Path) -> None:
    text = '<d><es><e id="1"><t>a</t><t>b</t><u k="v">w</u></e><e id="2"><t>c</t></e></es></d>'
    assert rows(tmp_path / "a.xml", text, rows="es/e") == [
        {"id": "1", "t": ["a", "b"], "u": {"k": "v", "text": "w"}},
        {"id": "2", "t": "c"},
    ]
    with pytest.raises(FlancompileError, match="not XML"):
        rows(tmp_path / "a.xml", "<d><e></d>", rows="e")
    with pytest.raises(FlancompileError, match="needs `read"):
        rows(tmp_path / "a.xml", text)


def test_text_between_elements_is_kept(tmp_path: Path) -> None:
    text = "<d><e>Hello <b>big</b> world</e><e>only <b>before</b></e><e><t>a <i>b</i> c</t></e></d>"
    assert rows(tmp_path / "a.xml", text, rows="d/e") == [
        {"b": "big", "text": "Hello big world"},
        {"b": "before", "text": "only"},
        {"t": {"i": "b", "text": "a b c"}},
    ]


def test_parts_of_an_element_with_one_name_drop_the_row(tmp_path: Path) -> None:
    text = (
        '<d><e id="1"><id>2</id></e><e x="1"><x>2</x><x>3</x></e><e text="a">b</e>'
        "<e>b<text>c</text></e><e><f g='1'><g/></f></e><e><id>1</id><id>2</id></e></d>"
    )
    assert rows(tmp_path / "a.xml", text, rows="d/e") == [
        "a.xml: e 1: 'id' is an attribute and an element of <e>",
        "a.xml: e 2: 'x' is an attribute and an element of <e>",
        "a.xml: e 3: 'text' is a part of <e>, which has a text of its own too",
        "a.xml: e 4: 'text' is a part of <e>, which has a text of its own too",
        "a.xml: e 5: 'g' is an attribute and an element of <f>",
        {"id": ["1", "2"]},
    ]


TAGS = st.sampled_from(["a", "b", "text", "c"])
WORDS = st.sampled_from(["", " ", "one", "two words", "&amp;"])
ATTRIBUTES = st.dictionaries(TAGS, st.sampled_from(["u", "v w"]), max_size=2)
ELEMENTS = st.recursive(
    st.tuples(TAGS, ATTRIBUTES, st.lists(WORDS, min_size=1, max_size=1)),
    lambda inner: st.tuples(TAGS, ATTRIBUTES, st.lists(st.one_of(WORDS, inner), max_size=5)),
    max_leaves=8,
)


def as_xml(part: Any) -> str:
    if isinstance(part, str):
        return part
    tag, attributes, parts = part
    named = "".join(f' {k}="{v}"' for k, v in attributes.items())
    return f"<{tag}{named}>{''.join(map(as_xml, parts))}</{tag}>"


@settings(max_examples=150, deadline=None)
@given(ELEMENTS)
def test_no_word_of_an_element_is_lost(
    tmp_path_factory: pytest.TempPathFactory, element: Any
) -> None:
    path = tmp_path_factory.mktemp("xml") / "a.xml"
    (row,) = rows(path, f"<d>{as_xml(('row', *element[1:]))}</d>", rows="d/row")
    if isinstance(row, str):
        assert "is an attribute and an element" in row or "has a text of its own" in row
        return
    held = json.dumps(row).split('"')
    root = ElementTree.fromstring(path.read_text())[0]
    wanted = [
        w for e in root.iter() for t in (e.text, *e.attrib.values()) for w in (t or "").split()
    ]
    wanted += [w for e in root.iter() if e is not root for w in (e.tail or "").split()]
    assert [w for w in wanted if not any(w in text for text in held)] == []


def test_rows_of_xml_that_were_read_are_let_go(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<r>" + "<i><q>x</q></i>\n" * 20_000 + "</r>")
    tracemalloc.start()
    assert sum(1 for _ in read_rows(path, "xml", ReadOptions(rows="r/i"))) == 20_000
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1_000_000  # 90 bytes a row would be 1.8 million


def test_an_unknown_extension_asks_for_the_format(tmp_path: Path) -> None:
    with pytest.raises(FlancompileError, match="set `format:`"):
        format_of(tmp_path / "a.dat", None)


def test_explode_keeps_the_parents() -> None:
    row = {
        "title": "T",
        "paragraphs": [
            {"context": "C", "qas": [{"id": 1}, {"id": 2, "title": "own"}]},
            {"context": "D", "qas": []},
        ],
    }
    assert list(explode(row, ["paragraphs", "qas"])) == [
        {"title": "T", "context": "C", "id": 1},
        {"title": "own", "context": "C", "id": 2},
    ]
    assert list(explode({"a b": ["x", "y"]}, ["a b"])) == [{"a b": "x"}, {"a b": "y"}]
    assert list(explode({}, ["a"])) == [BadRow("explode: no 'a'", "")]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    table = pa.table({"id": range(5000), "q": [f"q{i}" for i in range(5000)]})
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    parquet.write_table(table, tmp_path / "whole.parquet")
    pages = bytearray((tmp_path / "whole.parquet").read_bytes())
    pages[100:200] = bytes(100)
    packed = bytearray(gzip.compress(b"".join(b'{"a": "%d"}\n' % i for i in range(9000))))
    packed[60:80] = b"\xff" * 20
    damaged = {
        "page.parquet": bytes(pages),
        "stream.arrow": stream.getvalue().to_pybytes()[:-60_000],
        "packed.jsonl.gz": bytes(packed),
        "deep.json": b"[" * 100_000,
        "deeper.json": b'{"a":' * 100_000,
    }
    for name, data in damaged.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(FlancompileError, match=f"FC304.*{name}"):
            list(read_rows(path, format_of(path, None), ReadOptions()))


def test_a_file_may_be_one_row(tmp_path: Path) -> None:
    text = "Rain.\r\n\r\n@highlight\r\n\r\nIt rained."
    found = rows(tmp_path / "a.story", text, whole=True)
    assert found == [{"text": "Rain.\n\n@highlight\n\nIt rained."}]
    with pytest.raises(ValueError, match="whole"):
        ReadOptions(whole=True, blank=True)
