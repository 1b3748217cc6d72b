"""Who may ask, and what may be uploaded."""

import contextlib
import http.client
import io
import json
import signal
import socket
import threading
import time
import zipfile
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from studio.conftest import Server

JSON = {"Content-Type": "application/json"}


def sentence(body: bytes) -> str:
    """The sentence of a refusal: it names no path of this machine and shows no trace."""
    said = json.loads(body)["error"]
    assert said.endswith((".", "!"))
    assert "Traceback" not in said
    assert "/tmp" not in said
    return said


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Range": "bytes=0-" + "9" * 4000}, 400),
        ({"Authorization": "Bearer wrong"}, 403),
        ({"Authorization": ""}, 403),
        ({"Content-Length": "99999999999"}, 413),
    ],
)
def test_requests_from_elsewhere_are_refused_before_anything_happens(server: Server, headers, status: int):
    found, body = server.request("POST", "/api/uploads", headers=headers)
    assert found == status
    sentence(body)
    assert server.request("GET", "/api/about")[0] == 200


@pytest.mark.parametrize(
    "path", ["/..", "/%2e%2e/", "/files/%2e%2e/secret", "/%252e%252e/", "/lib/..%5c", "/a%00b", "//x"]
)
def test_no_address_leads_out_of_the_page(server: Server, path: str):
    for begun in ("", "/api"):
        status, body = server.request("GET", begun + path)
        assert status in (400, 404)
        sentence(body)


def test_methods_are_not_confused(server: Server):
    assert server.request("PUT", "/api/uploads")[0] == 405
    assert server.request("POST", "/")[0] == 405
    assert server.request("DELETE", "/api/about")[0] == 405
    assert server.request("TRACE", "/api/about")[0] == 405
    assert server.request("GET", "/api/fit")[0] == 405


def test_the_page_needs_no_token_and_tells_none(server: Server):
    status, body = server.request("GET", "/", token=False)
    assert status == 200
    assert server.token.encode() not in body
    assert server.request("GET", "/api/openapi.json")[0] == 200
    assert server.request("GET", "/api/openapi.json", token=False)[0] == 403
    assert server.request("GET", f"/api/about?token={server.token}", token=False)[0] == 200


@pytest.fixture
def upload(server: Server) -> str:
    return json.loads(server.request("POST", "/api/uploads")[1])["id"]


@pytest.mark.parametrize(
    "name",
    ["../../x.png", "..", "a/../../x.png", "/etc/x.png", "C:\\x.png", "a\0b.png", "n" * 300 + ".png", "x.svg", "x.html",
     "x.py", ".hidden.png", "a//b.png", "a/b/c/d/e/f.png", "con:x.png", "x", "", "한" * 150 + ".png"],
)  # fmt: skip
def test_names_that_could_do_harm_are_refused(server: Server, upload: str, name: str):
    before = sorted(path for path in server.folder.parent.rglob("*") if path.is_file())
    status, body = server.request("POST", f"/api/uploads/{upload}?name={quote(name)}", b"<svg onload='alert(1)'/>")
    assert status == 422
    sentence(body)
    assert sorted(path for path in server.folder.parent.rglob("*") if path.is_file()) == before


def zipped(entries: dict[str, bytes], **more: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = more.get("mode", 0o644) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        zipped({"../../x.png": b"x"}),
        zipped({"/x.png": b"x"}),
        zipped({"x.png": b"../../secret"}, mode=0o120777),
        zipped({"bomb.png": b"\0" * 60_000_000}),
        zipped({"in.zip": b"x"}),
        zipped({"x.svg": b"<svg/>"}),
        zipped({f"{i}.png": b"" for i in range(20_001)}),
        b"PK\3\4 no archive at all",
    ],
    ids=["slip", "absolute", "link", "bomb", "nested", "svg", "many", "damaged"],
)
def test_archives_are_checked_before_they_are_opened(server: Server, upload: str, content: bytes):
    status, body = server.request("POST", f"/api/uploads/{upload}?name=x.zip", content)
    assert status == 422
    sentence(body)
    assert not list((server.folder / "uploads" / upload).iterdir())


def test_an_archive_that_says_less_than_it_holds_leaves_nothing(server: Server, upload: str):
    content = bytearray(zipped({"a.png": b"a" * 1000, "b.png": b"b" * 5000}))
    place = content.rindex(b"PK\1\2")
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    assert server.request("POST", f"/api/uploads/{upload}?name=x.zip", bytes(content))[0] == 422
    assert not list((server.folder / "uploads" / upload).iterdir())


def test_an_endless_stream_is_cut_off_and_nothing_is_kept(server: Server, upload: str, monkeypatch):
    """Chunked, so that no header says how long it is; the limit of other addresses is 4 MB."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        head = f"POST /api/data HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n"
        connection.sendall((head + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").encode())
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        answer = b""
        try:
            for _ in range(100):
                connection.sendall(chunk)
            answer = connection.recv(4096)
        except OSError:
            answer = answer or connection.recv(4096)
    assert b" 413 " in answer.splitlines()[0]
    assert server.request("GET", "/api/about")[0] == 200


def test_a_picture_that_unpacks_to_a_bomb_is_data_that_cannot_be_read(server: Server, upload: str):
    buffer = io.BytesIO()
    Image.new("L", (20_000, 20_000)).save(buffer, "png")
    assert server.request("POST", f"/api/uploads/{upload}?name=bomb.png", buffer.getvalue())[0] == 201
    status, body = server.request("POST", "/api/data", json.dumps({"source": upload}), headers=JSON)
    assert status in (400, 422)
    sentence(body)


def test_arrays_that_unpack_to_a_bomb_are_refused(server: Server, upload: str):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.zeros((300, 1000, 1000), np.uint8))
    assert server.request("POST", f"/api/uploads/{upload}?name=x.npz", buffer.getvalue())[0] == 422


def test_a_folder_that_was_zipped_is_read_as_data(server: Server, upload: str):
    def png(seed: int) -> bytes:
        buffer = io.BytesIO()
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(buffer, "png")
        return buffer.getvalue()

    files = {f"pets/{kind}/{i}.png": png(20 * n + i) for n, kind in enumerate(("cat", "dog")) for i in range(20)}
    content = zipped({**files, "__MACOSX/._x": b"", "pets/.DS_Store": b""})
    assert server.request("POST", f"/api/uploads/{upload}?name=pets.zip", content)[0] == 201
    status, body = server.request("POST", "/api/data", json.dumps({"source": upload}), headers=JSON)
    assert status == 200
    assert b'"classes": ["cat", "dog"]' in body
    assert server.request("DELETE", f"/api/uploads/{upload}")[0] == 204
    assert not (server.folder / "uploads" / upload).exists()


@pytest.mark.parametrize("run", ["..", "%2e%2e", "uploads", "nowhere", ".studio"])
def test_only_runs_of_the_workspace_are_opened(server: Server, run: str):
    for method, path in (("GET", "rows"), ("GET", "events"), ("POST", "stop"), ("GET", "picture")):
        assert server.request(method, f"/api/runs/{run}/{path}")[0] in (400, 404)


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", '{"run": 3}', '{"run": "mixture", "x": []}', '{"run": "mixture", "x": [1e999]}',
     '{"run": "mixture", "x": ' + str([99] * 64) + "}", '{"run": "gan", "x": ' + str([0] * 64) + "}"],
)  # fmt: skip
def test_a_question_that_is_none_gets_a_sentence(server: Server, body: str):
    status, found = server.request("POST", "/api/classify", body, headers=JSON)
    assert status in (400, 422)
    sentence(found)


def test_ctrl_c_ends_it_within_five_seconds(workspace: Path):
    """With somebody listening, and before it has finished to import."""
    other = Server(workspace).start()

    def listen() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            other.request("GET", "/api/runs/mixture/rows")

    listener = threading.Thread(target=listen)
    listener.start()
    began = time.monotonic()
    assert other.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 5
    listener.join()
