"""Published files read safely: honest ones come out as they were, dishonest ones do nothing and are refused."""

from __future__ import annotations

import collections
import io
import os
import pickle
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.face.ditto.convert import formats
from actors.face.ditto.convert.__main__ import main, parts
from actors.face.ditto.convert.pickles import Refused, read_checkpoint, read_pickle

CONFIG = {
    "base_cfg": {"hubert": {"model_path": "hubert.onnx", "device": "cuda"}},
    "audio2motion_cfg": {"seq_frames": 80, "use_emo": True, "w2f_type": "hubert", "nothing": None},
    "default_kwargs": {
        "sampling_timesteps": 10,
        "fix_kp_cond_dim": (0, 202),
        "emo": np.arange(16, dtype=np.float32).reshape(2, 8),
        "ch_info": {"x_s_info": [{"scale": np.full(1, 1.25, np.float32)}]},
        "one": np.float64(0.5),
    },
}


class Runs:
    """Pickled, it is an order to run a program."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.order = function, arguments

    def __reduce__(self) -> Any:
        return self.order


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_configuration_comes_out_as_it_was(protocol: int) -> None:
    found = read_pickle(pickle.dumps(CONFIG, protocol))
    assert found["base_cfg"] == CONFIG["base_cfg"]
    assert found["default_kwargs"]["fix_kp_cond_dim"] == [0, 202]
    assert found["default_kwargs"]["one"] == 0.5
    np.testing.assert_array_equal(found["default_kwargs"]["emo"], CONFIG["default_kwargs"]["emo"])


def test_columns_first_and_the_other_byte_order_are_read() -> None:
    given = {"f": np.asfortranarray(np.arange(6).reshape(2, 3)), "big": np.arange(3, dtype=">i4")}
    found = read_pickle(pickle.dumps(given))
    assert found["f"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["big"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("evil", "said"),
    [
        (Runs(os.system, "touch gone"), "asks for posix.system"),
        (Runs(eval, "1"), "asks for builtins.eval"),
        (Runs(getattr, "a", "b"), "asks for builtins.getattr"),
        (Runs(subprocess.Popen, ["true"]), "asks for subprocess.Popen"),
        (np.array([Runs(os.system, "true")], object), "array of 'O8'|asks for posix"),
        (np.array(["text"]), "array of 'U4'; only plain numbers"),
        (collections.Counter(), "asks for collections.Counter"),
        (b"bytes", "holds bytes"),
        ({(1, 2): 3}, "names something by tuple"),
        ([{"a": {1}}], "holds set"),
    ],
    ids=["system", "eval", "getattr", "popen", "objects", "text", "counter", "bytes", "key", "set"],
)
def test_a_pickle_that_wants_more_than_numbers_is_refused(evil: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        read_pickle(pickle.dumps({"emo": evil}))


@pytest.mark.parametrize("data", [b"", b"\x80\x04", b"no pickle at all", b"\x80\x04Q."])
def test_a_broken_pickle_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match=r"broken|outside"):
        read_pickle(data)


# ---- checkpoints, in torch's own form but without torch -----------------------------------------------------


def checkpoint(tensors: dict[str, np.ndarray], wrap: str | None = None, **more: Any) -> bytes:
    """A checkpoint with float32 tensors."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        rows = []
        for number, (name, tensor) in enumerate(tensors.items()):
            archive.writestr(f"archive/data/{number}", tensor.astype("<f4").tobytes())
            strides = [stride // tensor.itemsize for stride in tensor.strides]
            rows.append((name, number, tensor.size, tensor.shape, strides))
        archive.writestr("archive/data.pkl", _program(rows, wrap, more))
    return out.getvalue()


def _program(rows: list[Any], wrap: str | None, more: dict[str, Any]) -> bytes:
    """The pickle, word by word: it names torch's functions, which need not be installed."""

    def text(value: str) -> bytes:
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    def whole(value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little", signed=True)

    def each(values: Any) -> bytes:
        return b"(" + b"".join(map(whole, values)) + b"t"

    body = b"}("
    for name, number, count, shape, strides in rows:
        storage = (
            b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(str(number)) + text("cpu") + whole(count) + b"tQ"
        )
        empty = b"ccollections\nOrderedDict\n)R"
        body += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n("
        body += storage + whole(0) + each(shape) + each(strides) + b"\x89" + empty + b"tR"
    for name, value in more.items():
        body += text(name) + pickle.dumps(value, 2)[2:-1]
    body += b"u"
    return b"\x80\x02" + (b"}" + text(wrap) + body + b"s" if wrap else body) + b"."


WEIGHTS = {"module.mlp.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.full(1, 7, np.float32)}


def test_a_checkpoint_comes_out_as_it_was() -> None:
    found = read_checkpoint(checkpoint(WEIGHTS))
    assert {name: tensor.tolist() for name, tensor in found.items()} == {k: v.tolist() for k, v in WEIGHTS.items()}


def test_a_checkpoint_that_wants_to_run_something_is_refused() -> None:
    with pytest.raises(Refused, match=r"asks for posix\.system"):
        read_checkpoint(checkpoint(WEIGHTS, extra=Runs(os.system, "true")))


@pytest.mark.parametrize(("shape", "strides"), [((2, 3), (10, 1)), ((1_000_000,), (0,)), ((3,), (1,))])
def test_a_tensor_larger_than_its_numbers_is_refused(shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data/0", b"\0" * 8)
        archive.writestr("archive/data.pkl", _program([("a", 0, 2, shape, strides)], None, {}))
    with pytest.raises(Refused, match="larger than its numbers"):
        read_checkpoint(out.getvalue())


@pytest.mark.parametrize("data", [b"\x80\x02}.", b"PK"])
def test_what_is_no_checkpoint_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match=r"no checkpoint of torch 1\.6"):
        read_checkpoint(data)


# ---- the process -------------------------------------------------------------------------------------------


def test_the_locked_process_makes_safetensors(tmp_path: Path) -> None:
    made = parts("weights", checkpoint(WEIGHTS, "model_state_dict"))["safetensors"]
    assert made == formats.safetensors({"mlp.0.weight": WEIGHTS["module.mlp.0.weight"], "bias": WEIGHTS["bias"]})


def test_the_locked_process_can_do_nothing_else(tmp_path: Path) -> None:
    """Opening, connecting, starting a program, and taking the lock off again: all refused."""
    code = (
        "import os, sys, socket, resource, subprocess\n"
        "from actors.face.ditto.convert.lock import lock\n"
        "how = lock()\n"
        "def said(function, *arguments):\n"
        "    try: function(*arguments)\n"
        "    except (OSError, ValueError) as error: return type(error).__name__\n"
        "    return 'done'\n"
        "os.close(0)\n"
        f"print(how, said(open, {str(tmp_path / 'new')!r}, 'w'), said(open, '/etc/hostname'), said(socket.socket),\n"
        "      said(os.fork), said(os.execv, sys.executable, ['x']), said(os.unlink, sys.argv[1]),\n"
        "      said(resource.setrlimit, resource.RLIMIT_NOFILE, (9, 9)), sep='|', flush=True)\n"
    )
    keep = tmp_path / "keep"
    keep.touch()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code, keep], env=environment, capture_output=True, text=True)
    how, *refused = done.stdout.strip().split("|")
    if "kernel" in how:
        assert refused == ["PermissionError"] * 6 + ["ValueError"]
    else:
        assert "done" not in refused[:3]
    assert keep.exists()
    assert not (tmp_path / "new").exists()


def test_files_are_converted_by_their_published_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    (given / "lmdm_v0.4_hubert.pth").write_bytes(checkpoint(WEIGHTS, "model_state_dict"))
    (given / "v0.4_hubert_cfg_trt_online.pkl").write_bytes(pickle.dumps(CONFIG))
    assert main([*map(str, sorted(given.iterdir())), "--to", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["config.npz", "config.toml", "lmdm.safetensors"]
    said = tomllib.loads((out / "config.toml").read_text())
    assert said["default_kwargs"] == {"sampling_timesteps": 10, "fix_kp_cond_dim": [0, 202], "one": 0.5, "ch_info": {
        "x_s_info": {"0": {}}}}  # fmt: skip
    with np.load(out / "config.npz", allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["default_kwargs.ch_info.x_s_info.0.scale", "default_kwargs.emo"]
        assert arrays["default_kwargs.emo"].tolist() == CONFIG["default_kwargs"]["emo"].tolist()
    assert "sha256" in capsys.readouterr().out


def test_a_malicious_file_is_refused_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = tmp_path / "gone"
    evil = tmp_path / "config.pkl"
    evil.write_bytes(pickle.dumps({"emo": Runs(os.system, f"touch {gone}")}))
    other = tmp_path / "photo.jpg"
    other.touch()
    out = tmp_path / "out"
    assert main([str(evil), str(other), str(tmp_path / "decoder.pth"), "--to", str(out)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert "was not converted: the pickle asks for posix.system, which no file of numbers needs" in said[0]
    assert "a published file is" in said[1]
    assert "No such file" in said[2]
    assert not gone.exists()
    assert list(out.iterdir()) == []


def test_toml_says_what_it_was_given() -> None:
    given = {"a": 'quote " and \\ and \x7f', "b": [1, 2.5, True], "t": {"x y": {"z": -1}, "e": {}}, "c": False}
    assert tomllib.loads(formats.toml(given)) == given
