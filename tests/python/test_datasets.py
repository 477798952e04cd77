"""Datasets: what is built in against other sources, and own ones in every form."""

import csv
import gzip
import importlib.metadata
import io
import struct
import zipfile
from hashlib import sha256
from urllib.parse import quote

import numpy
import pytest
import requests

from plain_datasets import GENERATORS, units

BUILT_IN = ["xor", "circle", "gauss", "spiral", "iris", "digits"]
DRAWN = [(0, 200, 0.0), (1, 7, 0.3), (12345, 50, 1.0), (2**53 - 1, 33, 0.05)]


def shown(server, name: str, query: str = "") -> dict:
    return server.get(f"/v1/datasets/{name}?rows=true{query}", status=200)


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize(("seed", "examples", "noise"), DRAWN)
def test_a_generated_dataset_is_drawn_as_documented(server, name, seed, examples, noise):
    found = shown(server, name, f"&seed={seed}&examples={examples}&noise={noise}")
    rows = GENERATORS[name](units(seed), examples, noise)
    assert found["inputs"] == [row[:2] for row in rows]
    assert found["targets"] == [row[2:] for row in rows]
    assert (found["examples"], found["classes"]) == (examples, ["0", "1"])
    assert found["hash"] == hash_of(found)


def hash_of(found: dict) -> str:
    """As documented, from what is shown alone."""
    inputs, targets, classes = found["columns"]["inputs"], found["columns"]["targets"], found.get("classes", [])
    text = b"chainrule.dataset/1\n"
    text += struct.pack("<4Q", found["examples"], len(inputs), len(targets), len(classes))
    for name in [*inputs, *targets, *classes]:
        text += struct.pack("<Q", len(name.encode())) + name.encode()
    for rows in (found["inputs"], found["targets"]):
        text += b"".join(struct.pack("<d", value) for row in rows for value in row)
    return sha256(text).hexdigest()


def of_scikit_learn(file: str) -> bytes:
    """A file that scikit-learn ships; only read, nothing of it runs."""
    files = importlib.metadata.files("scikit-learn")
    return next(path for path in files if str(path) == f"sklearn/datasets/data/{file}").locate().read_bytes()


def test_iris_is_what_scikit_learn_ships(server):
    head, *lines = csv.reader(io.StringIO(of_scikit_learn("iris.csv").decode()))
    found = shown(server, "iris")
    assert found["classes"] == head[2:]
    assert found["inputs"] == [[float(value) for value in line[:4]] for line in lines]
    assert found["targets"] == [[float(int(line[4]) == label) for label in range(3)] for line in lines]
    assert len(lines) == found["examples"] == 150
    assert found["hash"] == hash_of(found)


def test_digits_are_what_scikit_learn_ships(server):
    lines = list(csv.reader(io.StringIO(gzip.decompress(of_scikit_learn("digits.csv.gz")).decode())))
    found, first = [], 0
    while first is not None:
        page = shown(server, "digits", f"&offset={first}&limit=700")
        found, first = [*found, page], page.get("next")
    inputs = [row for page in found for row in page["inputs"]]
    assert inputs == [[float(value) for value in line[:64]] for line in lines]
    labels = [row.index(1.0) for page in found for row in page["targets"]]
    assert labels == [int(float(line[64])) for line in lines]
    assert len(lines) == 1797
    whole = {**found[0], "inputs": inputs, "targets": [row for page in found for row in page["targets"]]}
    assert whole["hash"] == hash_of(whole)


def test_the_listing_shows_what_is_there(server):
    names = [entry["name"] for entry in server.get("/v1/datasets", status=200)["datasets"]]
    assert names[: len(BUILT_IN)] == BUILT_IN
    listed = {entry["name"]: entry for entry in server.get("/v1/datasets", status=200)["datasets"]}
    for name in BUILT_IN:
        whole = server.get(f"/v1/datasets/{name}", status=200)
        assert "inputs" not in whole
        assert {key: whole[key] for key in ("name", "kind", "title", "hash", "examples")}.items() <= listed[name].items()
        assert whole["license"] == "CC BY 4.0" if whole["kind"] == "real" else "license" not in whole
        assert whole["split"]["train"] + whole["split"]["test"] == whole["examples"]


def test_the_listing_goes_on_page_by_page(server):
    for number in range(5):
        server.put(f"/v1/datasets/page-{number}", {"inputs": [[number]], "targets": [[1.0]]})
    names, after = [], ""
    for _ in range(100):
        page = server.get(f"/v1/datasets?limit=2{after}", status=200)
        assert len(page["datasets"]) <= 2
        names += [entry["name"] for entry in page["datasets"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert names[:6] == BUILT_IN
    own = names[6:]
    assert own == sorted(own)
    assert {f"page-{number}" for number in range(5)} <= set(own)


def put(server, name: str, body, media_type: str, query: str = "", **headers: str) -> requests.Response:
    url = f"{server.base_url}/v1/datasets/{name}{query}"
    return requests.put(url, data=body, headers={"content-type": media_type, **headers}, timeout=60)


def test_an_own_dataset_never_changes(server):
    rows = {"inputs": [[0.1, 2.0], [3.0, -4.5e-300]], "targets": [[1.0], [0.0]]}
    first = server.put("/v1/datasets/fixed", rows, status=201)
    assert server.put("/v1/datasets/fixed", rows, status=200) == first
    found = shown(server, "fixed")
    assert {key: found[key] for key in rows} == rows
    assert found["columns"] == {"inputs": ["x1", "x2"], "targets": ["y"]}
    assert first["hash"] == found["hash"] == hash_of(found)
    other = {**rows, "targets": [[1.0], [1.0]]}
    assert server.put("/v1/datasets/fixed", other, status=409)["code"] == "dataset_exists"
    assert shown(server, "fixed") == found
    server.delete("/v1/datasets/fixed", status=204)
    assert server.get("/v1/datasets/fixed", status=404)["code"] == "dataset_not_found"
    assert server.delete("/v1/datasets/fixed", status=404)["code"] == "dataset_not_found"
    server.put("/v1/datasets/fixed", other, status=201)


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_built_in_stays(server, name):
    rows = {"inputs": [[1.0]], "targets": [[1.0]]}
    assert server.put(f"/v1/datasets/{name}", rows, status=409)["code"] == "dataset_built_in"
    assert server.delete(f"/v1/datasets/{name}", status=409)["code"] == "dataset_built_in"


def test_a_table_gives_its_columns_and_labels(server):
    table = '\ufeffheight,species,"width, in cm"\n1.5,tulip,2\n 2.25 , rose ,-3e2\n1,"tulip",0\n'.encode()
    answer = put(server, "flowers", table, "text/csv; charset=utf-8", "?one_hot=species")
    assert answer.status_code == 201, answer.text
    found = shown(server, "flowers")
    assert found["columns"] == {"inputs": ["height", "width, in cm"], "targets": ["rose", "tulip"]}
    assert found["classes"] == ["rose", "tulip"]
    assert found["inputs"] == [[1.5, 2.0], [2.25, -300.0], [1.0, 0.0]]
    assert found["targets"] == [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]


def test_labels_that_are_numbers_come_in_their_order(server):
    answer = put(server, "numbered", b"x,digit\n1,10\n2,9\n3,-1\n4,9\n", "text/csv", "?one_hot=digit")
    assert answer.status_code == 201, answer.text
    found = shown(server, "numbered")
    assert found["classes"] == ["-1", "9", "10"]
    assert [row.index(1.0) for row in found["targets"]] == [2, 1, 0, 1]


def test_targets_are_the_columns_that_are_named_or_the_last(server):
    table = b"a,b,c\n1,2,3\n4,5,6\n"
    assert put(server, "last", table, "text/csv").status_code == 201
    assert shown(server, "last")["targets"] == [[3.0], [6.0]]
    assert put(server, "named", table, "text/csv", "?targets=c,a").status_code == 201
    found = shown(server, "named")
    assert (found["inputs"], found["targets"]) == ([[2.0], [5.0]], [[3.0, 1.0], [6.0, 4.0]])
    assert found["columns"] == {"inputs": ["b"], "targets": ["c", "a"]}


WRONG_TABLES = [
    (b"", "", 400, "malformed_csv", "no lines"),
    (b"a,b\n", "", 400, "malformed_csv", "at least one row"),
    (b"a,b\n1,2\n3\n", "", 400, "malformed_csv", "line 3, column 2 (b): this line has 1 fields and the header has 2"),
    (b"a,b\n1,2\n3,4,5\n", "", 400, "malformed_csv", "line 3, column 3: this line has 3 fields"),
    (b"a,b\n1,2\n3,four\n", "", 400, "malformed_csv", 'line 3, column 2 (b): "four" is no number'),
    (b"a,b\n1,2\n\n\n,4\n", "", 400, "malformed_csv", "line 5, column 1 (a): a number is missing"),
    (b"a,b\n1,NaN\n", "", 400, "malformed_csv", "line 2, column 2 (b): NaN is no finite double"),
    (b"a,b\n1,1e999\n", "", 400, "malformed_csv", "1e999 is no finite double"),
    (b"a,b\n1,2\n3,\xff\n", "", 400, "malformed_csv", "line 3, column 2 (b): the field is not UTF-8"),
    (b"a,\xff\n1,2\n", "", 400, "malformed_csv", "line 1, column 2: the field is not UTF-8"),
    (b'x,y,t\n1,"2"3,3\n', "", 400, "malformed_csv", "line 2, column 2 (y): something follows the closing quote"),
    (b'x,y,t\n1,2"3,3\n', "", 400, "malformed_csv", "line 2, column 2 (y): a quote stands in a field"),
    (b'x,y,t\n1,"2,3\n4,5,6\n', "", 400, "malformed_csv", "line 2, column 2 (y): a quote is opened here and never closed"),
    (b'x,"y\n1,2\n', "", 400, "malformed_csv", "line 1, column 2: a quote is opened here and never closed"),
    (b'x,y,t\n1,"\n2",a\n', "", 400, "malformed_csv", "line 3, column 3 (t)"),
    (b"x;y;t\n1;2;3\n", "", 400, "malformed_csv", "with semicolons in it; commas part columns"),
    (b"x\ty\n1\t2\n", "", 400, "malformed_csv", "with tabs in it; commas part columns"),
    (b"a,a,\n1,2,3\n", "", 400, "malformed_csv", "line 1, column 2"),
    (b"height,t\n1,height\n", "?one_hot=t", 400, "malformed_csv", 'line 2, column 2 (t): the label "height" names a column'),
    (b"a,b\n1,2\n", "?targets=%22b", 400, "invalid_query", "a quote is opened here and never closed"),
    (b"a,b\n1,2\n", "?targets=", 422, "unknown_column", 'no column ""'),
    (b"a,a\n1,2\n", "", 400, "malformed_csv", 'line 1, column 2: the name "a" is that of column 1 too'),
    (b"a,\n1,2\n", "", 400, "malformed_csv", "line 1, column 2: a column needs a name"),
    (b"1.0,2.0\n3,4\n", "", 400, "malformed_csv", "the first line names the columns"),
    (b"a,b\n1,2\n", "?targets=c", 422, "unknown_column", 'no column "c"; it has a, b'),
    (b"a,b\n1,2\n", "?one_hot=c", 422, "unknown_column", 'no column "c"'),
    (b"a,b\n1,2\n", "?targets=b,b", 422, "conflicting_fields", "named twice"),
    (b"a,b\n1,2\n", "?targets=a,b", 422, "conflicting_fields", "at least one must be an input"),
    (b"a,b\n1,2\n", "?targets=a&one_hot=b", 422, "conflicting_fields", "leave one out"),
    (b"a,b\n1,\n", "?one_hot=b", 400, "malformed_csv", "line 2, column 2 (b): a label is missing"),
]


@pytest.mark.parametrize(("table", "query", "status", "code", "text"), WRONG_TABLES)
def test_a_wrong_table_is_named_by_line_and_column(server, table, query, status, code, text):
    answer = put(server, "wrong", table, "text/csv", query)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert text in problem["detail"], problem
    assert server.get("/v1/datasets/wrong", status=404)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_is_read_as_pythons_own_reader_reads_it(server, end):
    lines = ['"a, ""1""",b,t', "", '"1.5", 2 ,yes', ' "-3" ,4e2,"no, ""not"""', "", f'5,"6","{end}two lines{end}"', "7,8,yes"]
    table = end.join(lines)
    name = f"own-{len(end)}-{ord(end[0])}"
    answer = put(server, name, table.encode(), "text/csv", "?one_hot=t")
    assert answer.status_code == 201, answer.text
    rows = csv.reader(io.StringIO(table, newline=""), skipinitialspace=True)
    head, *rows = [[field.strip() for field in row] for row in rows if row]
    found = shown(server, name)
    assert found["columns"]["inputs"] == head[:2]
    assert found["classes"] == sorted({row[2] for row in rows})
    assert found["inputs"] == [[float(value) for value in row[:2]] for row in rows]
    assert [found["classes"][row.index(1.0)] for row in found["targets"]] == [row[2] for row in rows]


def test_a_column_with_a_comma_in_its_name_can_be_a_target(server):
    table = b'x,"a,b","say ""c"""\n1,2,3\n'
    answer = put(server, "comma", table, "text/csv", "?targets=" + quote('"say ""c""", "a,b"'))
    assert answer.status_code == 201, answer.text
    found = shown(server, "comma")
    assert (found["columns"]["targets"], found["targets"]) == (['say "c"', "a,b"], [[3.0, 2.0]])
    # Without quotes it is two names.
    problem = put(server, "comma-2", table, "text/csv", "?targets=a,b").json()
    assert (problem["code"], 'no column "a"' in problem["detail"]) == ("unknown_column", True), problem


def bad_places(answer: requests.Response) -> list[tuple[int, int]]:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "malformed_csv"), problem
    assert problem["detail"] == problem["errors"][0]["detail"]
    assert {fault["pointer"] for fault in problem["errors"]} == {""}
    for fault in problem["errors"]:
        assert fault["detail"].startswith(f"line {fault['line']}, column {fault['column']}"), fault
    return [(fault["line"], fault["column"]) for fault in problem["errors"]]


def test_all_bad_places_of_a_table_are_named(server):
    table = b'a,b,c\n1,two,three\n\n4,5\n6,"7"8,9\n1,2,3\n1,2,3,4\n'
    assert bad_places(put(server, "many", table, "text/csv")) == [(2, 2), (2, 3), (4, 3), (5, 2), (7, 4)]
    assert bad_places(put(server, "many", b"a,a,,b\n1,2,3,4\n", "text/csv")) == [(1, 2), (1, 3)]


@pytest.mark.parametrize("bad", [19, 20, 21, 1000])
def test_twenty_bad_places_are_named_at_the_most(server, bad):
    table = "a,b\n" + "1,2\n" * 5 + "1,x\n" * bad
    found = bad_places(put(server, "more", table.encode(), "text/csv"))
    assert found == [(7 + row, 2) for row in range(min(bad, 20))]
    rows = numpy.full((bad, 2), 1.0)
    rows[:, 1] = numpy.inf
    problem = put(server, "more", saved(inputs=rows, targets=rows[:, 0]), "application/octet-stream").json()
    assert problem["code"] == "malformed_npz"
    assert [fault["pointer"] for fault in problem["errors"]] == [f"/inputs/{row}/1" for row in range(min(bad, 20))]


def test_what_is_quoted_of_a_field_is_cut(server):
    for length, cut in ((80, False), (81, True), (500_000, True)):
        detail = put(server, "long", f"a,b\n1,{'z' * length}\n".encode(), "text/csv").json()["detail"]
        assert ("z" * min(length, 80) in detail, "z" * 81 in detail, "…" in detail) == (True, False, cut)
        assert len(detail) < 200


def test_names_of_columns_and_labels_have_a_largest_length(server):
    for length, status in ((256, 201), (257, 400)):
        name = "n" * length
        assert put(server, f"head-{length}", f"{name},b\n1,2\n".encode(), "text/csv").status_code == status
        answer = put(server, f"label-{length}", f"a,b\n1,{name}\n".encode(), "text/csv", "?one_hot=b")
        assert answer.status_code == status, answer.text
    # So what the service writes it reads again.
    table = requests.get(f"{server.base_url}/v1/datasets/label-256", headers={"accept": "text/csv"}, timeout=60).content
    assert put(server, "label-again", table, "text/csv").status_code == 201


def test_a_table_without_its_type_is_told_of_it(server):
    url = f"{server.base_url}/v1/datasets/untyped"
    problem = requests.put(url, data=b"a,b\n1,2\n", timeout=60).json()
    assert (problem["code"], "Content-Type: text/csv" in problem["detail"]) == ("malformed_json", True), problem
    problem = put(server, "untyped", b"a,b\n1,2\n", "application/json").json()
    assert (problem["code"], "Content-Type" in problem["detail"]) == ("malformed_json", False), problem
    assert requests.put(url, data=b'{"inputs": [[1]], "targets": [[2]]}', timeout=60).status_code == 201


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        ("text/csv", "text/csv"),
        ("text/csv;q=0, */*", "application/json"),
        ("text/csv;q=0", None),
        ("application/json;q=0.9, text/csv;q=0.1", "application/json"),
        ("application/json;q=0.1, text/csv;q=0.9", "text/csv"),
        ("text/*", "text/csv"),
        ("*/*", "application/json"),
        ("image/png", None),
    ],
)
def test_the_form_is_the_one_that_accept_weighs_most(server, accept, found):
    answer = requests.get(f"{server.base_url}/v1/datasets/xor", headers={"accept": accept}, timeout=60)
    assert answer.status_code == (406 if found is None else 200), answer.text
    assert answer.headers["content-type"].split(";")[0] == (found or "application/problem+json")


def test_a_dataset_may_have_more_rows_than_a_batch(server):
    rows = 70_000
    server.put("/v1/datasets/tall", {"inputs": [[0.0]] * rows, "targets": [[1.0]] * rows}, status=201)
    document = server.get("/openapi.json", status=200)["components"]["schemas"]
    inputs = document["DatasetRows"]["properties"]["inputs"]["$ref"].rsplit("/", 1)[1]
    assert document[inputs]["oneOf"][1]["maxItems"] == 1_000_000


@pytest.mark.parametrize("kind", ["float64", "float32", ">f8", "int64", "int32", "int16", "int8", "uint64", "uint8", "bool"])
@pytest.mark.parametrize("compressed", [False, True])
def test_numpys_files_are_read_as_numpy_wrote_them(server, kind, compressed):
    draw = numpy.random.default_rng(7)
    inputs = (draw.random((7, 40)) * 100 - (0 if kind[0] in "ub" else 50)).astype(kind)
    targets = (draw.random((7, 10)) * 3).astype(kind)
    file = io.BytesIO()
    save = numpy.savez_compressed if compressed else numpy.savez
    # One of the two as Fortran lays it out.
    save(file, inputs=numpy.asfortranarray(inputs), targets=targets, more=numpy.zeros(3))
    name = f"npz-{kind.strip('>')}-{'be' if '>' in kind else 'le'}-{str(compressed).lower()}"
    answer = put(server, name, file.getvalue(), "application/octet-stream")
    assert answer.status_code == 201, answer.text
    found = shown(server, name)
    assert found["inputs"] == inputs.astype("float64").tolist()
    assert found["targets"] == targets.astype("float64").tolist()


def saved(**arrays) -> bytes:
    file = io.BytesIO()
    numpy.savez_compressed(file, **arrays)
    return file.getvalue()


def flipped(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]


def plainly_saved(**arrays) -> bytes:
    file = io.BytesIO()
    numpy.savez(file, **arrays)
    return file.getvalue()


def with_surplus(surplus: bytes) -> bytes:
    member, archive = io.BytesIO(), io.BytesIO()
    numpy.save(member, numpy.ones((3, 2)))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inputs.npy", member.getvalue() + surplus)
        packed.writestr("targets.npy", member.getvalue())
    return archive.getvalue()


def test_every_damaged_number_of_a_file_is_noticed(server):
    rows = numpy.array([[1.0, 2.0], [4.0, 5.0]])
    body = plainly_saved(inputs=rows, targets=numpy.array([[3.0], [6.0]]))
    places = [body.index(struct.pack("<d", value)) + byte for value in (2.0, 5.0, 6.0) for byte in range(8)]
    for at in [200, *places]:
        answer = put(server, "damaged", flipped(body, at), "application/octet-stream")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_npz"), (at, answer.text)
    assert put(server, "damaged", body, "application/octet-stream").status_code == 201
    assert shown(server, "damaged")["inputs"] == rows.tolist()


@pytest.mark.parametrize("surplus", [1, 3_000_000])
def test_bytes_behind_an_array_are_refused(server, surplus):
    answer = put(server, "surplus", with_surplus(bytes(surplus)), "application/octet-stream")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_npz"), answer.text
    assert "behind it" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "value", "exact"),
    [
        ("int64", 2**53, True),
        ("int64", 2**53 + 1, False),
        ("int64", -(2**53) - 1, False),
        ("int64", 2**62, True),
        ("int64", 2**62 + 1, False),
        ("int64", 2**63 - 1, False),
        ("int64", -(2**63), True),
        ("uint64", 2**64 - 1, False),
        ("uint64", 2**63, True),
    ],
)
def test_a_whole_number_that_no_double_is_is_refused_at_its_place(server, kind, value, exact):
    inputs = numpy.zeros((3, 2), kind, order="F")
    inputs[1, 0] = value
    name = f"whole-{abs(value)}-{'n' if value < 0 else 'p'}"
    answer = put(server, name, saved(inputs=inputs, targets=numpy.ones(3)), "application/octet-stream")
    if exact:
        assert answer.status_code == 201, answer.text
        assert shown(server, name)["inputs"][1][0] == float(value)
        return
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "malformed_npz"), problem
    assert [fault["pointer"] for fault in problem["errors"]] == ["/inputs/1/0"]
    assert str(value) in problem["detail"]


def wrong_files():
    rows = numpy.ones((3, 2))
    yield b"PK nothing", 400, "malformed_npz", "no npz file"
    yield saved(inputs=rows), 400, "malformed_npz", "no array targets here; there is inputs"
    yield saved(inputs=rows, targets=numpy.ones((3, 1, 1))), 400, "malformed_npz", "3 dimensions"
    yield saved(inputs=rows, targets=numpy.ones((3, 0))), 400, "malformed_npz", "empty"
    yield saved(inputs=rows, targets=numpy.array([["a"], ["b"], ["c"]])), 400, "malformed_npz", "expected"
    yield saved(inputs=rows, targets=rows.astype(complex)), 400, "malformed_npz", "expected"
    yield saved(inputs=rows, targets=numpy.array([1.0, 2.0, numpy.nan])), 400, "malformed_npz", "number [2, 0]"
    yield saved(inputs=rows, targets=numpy.ones(4)), 422, "wrong_shape", "each input row needs its target row"
    # Eight gigabytes when unpacked, a few megabytes as they come.
    yield bomb(), 422, "dataset_too_large", "numbers"
    yield saved(inputs=rows, targets=rows)[:-30], 400, "malformed_npz", "no npz file"


def bomb() -> bytes:
    file = io.BytesIO()
    numpy.lib.format.write_array_header_1_0(
        file, {"descr": "<f8", "fortran_order": False, "shape": (1_000_000, 1_000)}
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inputs.npy", file.getvalue() + bytes(10_000_000))
        packed.writestr("targets.npy", file.getvalue())
    return archive.getvalue()


@pytest.mark.parametrize("case", range(10))
def test_a_wrong_file_is_refused(server, case):
    body, status, code, text = list(wrong_files())[case]
    answer = put(server, "wrong-file", body, "application/octet-stream")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert text in problem["detail"], problem


def test_other_forms_are_refused_with_what_is_taken(server):
    answer = put(server, "form", b"<rows/>", "application/xml")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "text/csv" in answer.json()["detail"]
    answer = put(server, "form", b"{}", "application/json", "?targets=a")
    assert (answer.status_code, answer.json()["code"]) == (422, "conflicting_fields")
    problem = server.put("/v1/datasets/form", {"inputs": [[1.0], [1.0, 2.0]], "targets": [[1.0]]}, status=422)
    assert problem["errors"][0]["pointer"] == "/inputs/1"
    problem = server.put("/v1/datasets/form", {"inputs": [[1.0]]}, status=400)
    assert problem["code"] == "missing_field"


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_dataset_as_a_table_is_read_back_as_the_same(server, name):
    whole = server.get(f"/v1/datasets/{name}", status=200)
    answer = requests.get(f"{server.base_url}/v1/datasets/{name}", headers={"accept": "text/csv"}, timeout=60)
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.reader(io.StringIO(answer.text)))
    assert lines[0] == whole["columns"]["inputs"] + whole["columns"]["targets"]
    assert len(lines) == whole["examples"] + 1
    query = "?targets=" + ",".join(whole["columns"]["targets"])
    again = put(server, f"{name}-again", answer.content, "text/csv", query)
    assert again.status_code == 201, again.text
    for offset in range(0, whole["examples"], 1000):
        pages = [shown(server, which, f"&offset={offset}") for which in (name, f"{name}-again")]
        assert pages[0]["inputs"] == pages[1]["inputs"]
        assert pages[0]["targets"] == pages[1]["targets"]


def test_a_key_gives_the_first_answer_again(server):
    rows = {"inputs": [[1.0]], "targets": [[2.0]]}
    url = f"{server.base_url}/v1/datasets/keyed"
    asked = {"json": rows, "headers": {"idempotency-key": "dataset-1"}, "timeout": 60}
    first = requests.put(url, **asked)
    again = requests.put(url, **asked)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.status_code == 201
    gone = [requests.delete(url, headers={"idempotency-key": "dataset-2"}, timeout=60).status_code for _ in range(2)]
    assert gone == [204, 204]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("seed=-1", "number_out_of_range"),
        ("seed=9007199254740992", "number_out_of_range"),
        ("examples=1", "number_out_of_range"),
        ("examples=10001", "number_out_of_range"),
        ("noise=1.01", "number_out_of_range"),
        ("noise=-0.1", "number_out_of_range"),
        ("noise=much", "wrong_type"),
        ("rows=yes", "wrong_type"),
        ("limit=1001", "number_out_of_range"),
        ("colour=red", "unknown_field"),
    ],
)
def test_a_wrong_query_is_named(server, query, code):
    problem = server.get(f"/v1/datasets/xor?{query}", status=400)
    assert problem["code"] == code, problem
    assert query.split("=")[0] in problem["detail"]


@pytest.mark.parametrize("query", ["examples=2", "examples=10000", "noise=0", "noise=1", "limit=1000", "offset=200"])
def test_the_ends_of_each_range_are_taken(server, query):
    server.get(f"/v1/datasets/spiral?rows=true&{query}", status=200)


def test_what_is_not_drawn_takes_no_seed(server):
    problem = server.get("/v1/datasets/iris?seed=1", status=422)
    assert problem["code"] == "conflicting_fields"
