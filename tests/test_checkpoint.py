"""A checkpoint exists whole or not at all, and nothing that a file says of itself is believed."""

import hashlib
import json
import os
import pickle
import resource
import shutil
import struct
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from crash import operations, run_until_operation
from priorcraft.disk import WriteFailed
from priorcraft.errors import CheckpointError, UsageError
from priorcraft.train import checkpoint
from priorcraft.train.checkpoint import CheckpointWarning, load_into, newest, read, save
from priorcraft.train.formats import NewerFormat
from priorcraft.train.tensors import check_header, decode, encode


def files(step: int) -> dict:
    generator = torch.Generator().manual_seed(step)
    weight = torch.randn(3, 4, generator=generator)
    return {"model": {"net.weight": weight, "net.bias": weight[0]}, "state": {"exp_avg": weight.double() ** 2}}


def same_bits(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].numpy().tobytes() == b[k].numpy().tobytes()
        for k in a
    )


def is_whole(found: checkpoint.Checkpoint) -> bool:
    return found.info == {"best": found.step / 7} and all(
        same_bits(found.files[name], tensors) for name, tensors in files(found.step).items()
    )


def write(folder: Path, step: int, **kwargs) -> Path:
    return save(folder, step, files(step), {"best": step / 7}, **kwargs)


def reseal(path: Path, **changes) -> None:
    """Edits a manifest as someone would who knows how it is sealed."""
    manifest = json.loads((path / "manifest.json").read_text()) | changes
    manifest.pop("sha256")
    manifest["sha256"] = hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
    (path / "manifest.json").write_text(json.dumps(manifest))


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# ---- round trip


def test_every_dtype_shape_and_stride_comes_back_bit_for_bit(tmp_path):
    base = torch.arange(24).reshape(4, 6)
    dtypes = [torch.float32, torch.float64, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool]
    tensors = {f"{d}{i}": t for d in dtypes for i, t in enumerate([base.to(d), base.to(d).T, base.to(d)[1:, ::2]])}
    tensors |= {"scalar": torch.tensor(3.5), "empty": torch.empty(0, 784), "wide": torch.zeros(1).expand(5, 5)}
    tensors |= {"nan": torch.tensor([float("nan"), float("inf"), -0.0]), "parameter": nn.Parameter(torch.ones(2))}
    bf16 = torch.linspace(-3, 3, 7).bfloat16()
    found = read(save(tmp_path / "c", 0, {"state": {**tensors, "bf16": bf16}}, {"a": [1, None, "é"]}))
    state = found.files["state"]
    assert torch.equal(state.pop("bf16").view(torch.int16), bf16.view(torch.int16))
    assert same_bits(state, {k: t.detach().contiguous() for k, t in tensors.items()})
    assert found.info == {"a": [1, None, "é"]}
    assert found.step == 0


def test_the_newest_is_by_step_not_by_clock_and_two_stay(tmp_path):
    for step in (5, 90, 100):
        write(tmp_path, step)
    os.utime(tmp_path / "step-00000090", (2**33, 2**33))
    assert newest(tmp_path).step == 100
    assert names(tmp_path) == ["step-00000090", "step-00000100"]
    assert newest(tmp_path / "nowhere") is None


def test_the_same_step_saved_again_replaces_it_and_costs_nothing_if_equal(tmp_path):
    path = write(tmp_path, 3)
    inode = path.stat().st_ino
    assert write(tmp_path, 3).stat().st_ino == inode
    save(tmp_path, 3, files(4), {})
    assert same_bits(newest(tmp_path).files["model"], files(4)["model"])
    assert names(tmp_path) == ["step-00000003"]


# ---- crashes (FAULTS 2)


@pytest.mark.parametrize("power_loss", [False, True])
@pytest.mark.parametrize("scene", ["first", "next", "again"])
def test_a_save_killed_at_any_file_operation_leaves_the_old_or_the_new_checkpoint(
    tmp_path, scene, power_loss, monkeypatch
):
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # for speed; the fuse counts them all the same
    before = {"first": [], "next": [1, 2, 3], "again": [2, 4]}[scene]
    folder, spare = tmp_path / "c", tmp_path / "spare"
    spare.mkdir()
    for step in before:
        save(spare, step, files(step + 100 if step == 4 else step), {"best": step / 7})

    def script():
        write(folder, 4)

    shutil.copytree(spare, folder)
    total = len(operations(script, tmp_path / "log"))
    seen = set()
    for k in range(total + 1):
        shutil.rmtree(folder)
        shutil.copytree(spare, folder)
        assert run_until_operation(script, k, power_loss=power_loss) == (k < total)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a kill alone never leaves anything to warn of
            found = newest(folder)
        for path in folder.glob("step-????????"):
            read(path)  # what has the name of a checkpoint is one
        replaced = scene == "again" and found.step == 4 and same_bits(found.files["model"], files(104)["model"])
        seen.add("old" if replaced or found is None or found.step < 4 else "new")
        assert replaced or (found.step in {*before, 4} and is_whole(found) if found else scene == "first")
        assert found is None or found.step >= max(before, default=4)
        write(folder, 4)
        assert is_whole(newest(folder))
        assert not [n for n in names(folder) if not n.startswith("step-") or n.endswith((".tmp", ".old"))]
    assert seen == {"old", "new"}


def test_the_fuse_blows_where_it_should(tmp_path):
    def script():
        fd = os.open(tmp_path / "f", os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"abcd")
        os.fsync(fd)
        os.rename(tmp_path / "f", tmp_path / "g")

    assert operations(script, tmp_path / "log") == ["open", "write", "fsync", "rename"]
    assert run_until_operation(script, 1)
    assert (tmp_path / "f").read_bytes() == b"ab"
    assert run_until_operation(script, 2, power_loss=True)
    assert (tmp_path / "f").read_bytes() == b""
    assert run_until_operation(script, 3, power_loss=True)
    assert (tmp_path / "f").read_bytes() == b"abcd"
    assert not run_until_operation(script, 4)


# ---- full disk (FAULTS 5)


def test_a_full_disk_leaves_the_old_checkpoint_and_says_how_much_is_needed(tmp_path):
    write(tmp_path, 1)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limit[1]))
    try:
        with pytest.raises(WriteFailed, match=r"checkpoint of step 2 .* needs [\d,]{7,} bytes; [\d,]+ are free"):
            save(tmp_path, 2, {"model": {"w": torch.ones(10**6)}}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert names(tmp_path) == ["step-00000001"]
    assert is_whole(newest(tmp_path))


# ---- torn and altered files (FAULTS 7, 8)


def test_any_flipped_bit_is_refused(tmp_path):
    path = save(tmp_path, 1, {"model": {"w": torch.ones(2)}}, {"a": 1})
    good = read(path)
    for file in path.iterdir():
        data = file.read_bytes()
        for i in range(len(data)):
            file.write_bytes(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
            with pytest.raises(CheckpointError, match=file.name):
                read(path)
        file.write_bytes(data)
    assert same_bits(read(path).files["model"], good.files["model"])


def test_an_altered_checkpoint_is_named_and_the_one_before_is_used(tmp_path):
    write(tmp_path, 1)
    weights = write(tmp_path, 2) / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model.safetensors does not match its SHA-256"):
        read(weights.parent)
    with pytest.warns(CheckpointWarning, match=r"step-00000002 was passed over.*does not match its SHA-256"):
        assert is_whole(newest(tmp_path))
    assert names(tmp_path) == ["step-00000001", "step-00000002"]
    with pytest.warns(CheckpointWarning, match=r"kept as step-00000002.corrupt"):
        newest(tmp_path, owner=True)
    assert names(tmp_path) == ["step-00000001", "step-00000002.corrupt"]
    assert weights.parent.with_suffix(".corrupt").joinpath("model.safetensors").read_bytes() == data


def test_what_does_not_verify_neither_counts_as_kept_nor_is_deleted(tmp_path):
    for step in (1, 2):
        path = write(tmp_path, step)
    (path / "state.safetensors").write_bytes(b"")
    with pytest.warns(CheckpointWarning, match="step-00000002"):
        write(tmp_path, 3)
    assert names(tmp_path) == ["step-00000001", "step-00000002.corrupt", "step-00000003"]


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:-9]), r"model.safetensors has 191 bytes, 200 were expected"),
        (lambda f: f.write_bytes(b""), r"model.safetensors has 0 bytes, 200 were expected"),
        (lambda f: f.unlink(), r"model.safetensors is missing"),
        (make_folder, r"model.safetensors is not a file"),
        (lambda f: (f.parent / "manifest.json").unlink(), r"manifest.json is missing"),
        (lambda f: (f.parent / "manifest.json").write_bytes(b"\xff\xfe"), r"manifest.json does not hold JSON"),
        (lambda f: (f.parent / "manifest.json").write_bytes(b"[" * 10**6), r"manifest.json does not hold JSON"),
        (lambda f: (f.parent / "manifest.json").write_bytes(b"[]"), r"must hold one JSON object, not list"),
        (lambda f: (f.parent / "manifest.json").write_bytes(b"{}"), r"does not describe a priorcraft checkpoint"),
        (lambda f: shutil.rmtree(f.parent), r"is not a checkpoint"),
        (lambda f: reseal(f.parent, files={"../../x": {"size": 1, "sha256": ""}}), r"not '../../x'"),
        (lambda f: reseal(f.parent, step="1"), r"step must be a whole number, not .1."),
    ],
)
def test_torn_files_are_refused_by_name_and_size(tmp_path, damage, sentence):
    path = write(tmp_path, 1)
    damage(path / "model.safetensors")
    with pytest.raises(CheckpointError, match=sentence):
        read(path)


def test_a_newer_format_is_not_attempted(tmp_path):
    reseal(path := write(tmp_path, 1), format=2, priorcraft="3.1.0", needs="3.0.0")
    for attempt in (lambda: read(path), lambda: newest(tmp_path, owner=True)):
        with pytest.raises(NewerFormat, match=r"made by priorcraft 3.1.0, needs >= 3.0.0"):
            attempt()
    assert names(tmp_path) == ["step-00000001"]


# ---- foreign content (FAULTS 9, 10)


class Canary:
    def __reduce__(self):
        return (open, (os.environ["CANARY"], "w"))


def test_a_pickle_is_refused_by_content_even_under_a_valid_manifest(tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY", str(tmp_path / "canary"))
    path = write(tmp_path / "c", 1)
    torch.save(Canary(), tmp_path / "bomb.pt")
    for bomb in (pickle.dumps(Canary()), (tmp_path / "bomb.pt").read_bytes()):
        (path / "model.safetensors").write_bytes(bomb)
        entry = {"size": len(bomb), "sha256": hashlib.sha256(bomb).hexdigest()}
        reseal(path, files={"model.safetensors": entry})
        with pytest.raises(CheckpointError, match=r"model.safetensors is not a safetensors file .*pickle"):
            read(path)
    assert not (tmp_path / "canary").exists()


def container(header: object, body: int = 8) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(body)


def tensor(dtype="F32", shape=(2,), offsets=(0, 8), **more) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


HUGE = 2**40
LIES = {
    "huge": container({"w": tensor(shape=[HUGE], offsets=[0, 4 * HUGE])}),
    "huge in 8 bytes": container({"w": tensor(shape=[HUGE])}),
    "overflow": container({"w": tensor(shape=[2**32, 2**32])}),
    "empty but huge": container({"w": tensor(shape=[0, 2**62], offsets=[0, 0])}, 0),
    "many sizes": container({"w": tensor(shape=[1] * 100 + [2])}),
    "negative": container({"w": tensor(shape=[-2, -1])}),
    "not sizes": container({"w": tensor(shape=[True, 2.0])}),
    "backwards": container({"w": tensor(offsets=[8, 0])}),
    "overlap": container({"v": tensor(), "w": tensor(offsets=[4, 12])}, 12),
    "same place": container({"v": tensor(), "w": tensor()}),
    "gap": container({"w": tensor(offsets=[4, 12])}, 12),
    "left over": container({"w": tensor()}, 9),
    "duplicate": container(b'{"w": %b, "w": %b}' % ((json.dumps(tensor()).encode(),) * 2)),
    "dtype": container({"w": tensor(dtype="OBJECT")}),
    "no dtype": container({"w": {"shape": [2], "data_offsets": [0, 8]}}),
    "more": container({"w": tensor(code="x")}),
    "not JSON": container(b"{'w'}"),
    "deep": container(b'{"w":' + b"[" * 10**5),
    "list": container(b"[]"),
    "header length": struct.pack("<Q", 2**63) + b"{}",
    "short": b"\x02\0\0",
    "nothing": b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused_before_memory_is_taken(lie):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match=r"^w\.safetensors"):
        check_header(LIES[lie], "w.safetensors")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < peak + 50_000  # kB


def test_honest_containers_are_read():
    assert decode(container({"__metadata__": {"a": "b"}, "w": tensor()}), "w")["w"].tolist() == [0, 0]
    assert decode(container({}, 0), "w") == decode(encode({}), "w") == {}


# ---- weights


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_neither_saved_nor_read(tmp_path, bad, monkeypatch):
    weights = {"model": {"net.w": torch.tensor([1.0, bad])}}
    with pytest.raises(CheckpointError, match=r"'net.w' holds nan or infinity in 1 of 2"):
        save(tmp_path, 1, weights, {})
    assert names(tmp_path) == []
    monkeypatch.setattr(checkpoint, "MODEL", "other")
    path = save(tmp_path, 1, weights, {})
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"'net.w' holds nan or infinity"):
        read(path)


def test_info_must_be_json(tmp_path):
    for info in ({"a": torch.ones(1)}, {"a": float("nan")}):
        with pytest.raises(UsageError, match="info must be JSON"):
            save(tmp_path, 1, files(1), info)
    assert read(save(tmp_path, 1, files(1), {"a": {10: 0.1, 9: 1e-300}})).info == {"a": {"10": 0.1, "9": 1e-300}}


def test_weights_go_into_a_module_all_or_none():
    module, other = nn.Linear(3, 2), nn.Linear(3, 2)
    load_into(module, other.state_dict())
    assert same_bits(module.state_dict(), other.state_dict())
    before = {k: t.clone() for k, t in module.state_dict().items()}
    bad = {"weight": torch.zeros(2, 3), "bias": torch.zeros(7), "extra.w": torch.zeros(1)}
    with pytest.raises(
        CheckpointError, match=r"another model than this Linear: 'bias' is float32 \(2,\) .*\(7,\)"
    ) as error:
        load_into(module, bad)
    assert "unexpected 'extra.w'" in str(error.value)
    with pytest.raises(CheckpointError, match=r"missing 'bias'"):
        load_into(module, {"weight": torch.zeros(2, 3)})
    with pytest.raises(CheckpointError, match=r"float32 \(2,\) in the model and int64 \(2,\) in the file"):
        load_into(module, {"weight": torch.zeros(2, 3), "bias": torch.zeros(2).long()})
    assert same_bits(module.state_dict(), before)
