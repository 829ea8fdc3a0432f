"""TensorRT's runtime over a stand-in for the library: buffers, engines that are kept, and the warp that is split."""

# pyright: reportMissingImports=false
from __future__ import annotations

import gc
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.actors.face.ditto import fake_tensorrt, graphed, tiny
from tests.actors.face.ditto.needs import torch

# isort: split

from actors.face.ditto.export import build
from actors.face.ditto.export.finished import Lack, lacking
from actors.face.ditto.runtime import cuda as memory
from actors.face.ditto.runtime import engines, tensorrt
from actors.face.ditto.runtime import open as open_runtime
from actors.face.ditto.runtime.machine import GraphRuntime
from streaming.stages import StageError


class HostCuda(memory.Cuda):
    """Whose memory torch can see on the CPU."""

    def tensor(self, buffer: memory.Buffer) -> Any:
        return torch.from_numpy(memory.host(buffer.pointer, buffer))


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch) -> Any:
    return installed(monkeypatch, "11.4.0.106")


def installed(monkeypatch: pytest.MonkeyPatch, version: str, **gpu: Any) -> Any:
    """The stand-ins, where the runtime looks for the real ones."""
    library = fake_tensorrt.tensorrt(version)
    bindings = fake_tensorrt.cuda(**gpu)
    above, room = ModuleType("cuda"), ModuleType("cuda.bindings")
    room.runtime = bindings  # type: ignore[attr-defined]
    for name, module in {
        "tensorrt": library, "tensorrt_rtx": library, "cuda": above, "cuda.bindings": room,
        "cuda.bindings.runtime": bindings,
    }.items():  # fmt: skip
        monkeypatch.setitem(sys.modules, name, module)
    return library


def ready(
    folder: Path, trt: Any, precision: str = "fp32", say: build.Progress = graphed.quiet, runtime: str = "tensorrt"
) -> GraphRuntime:
    """The small networks as `tensorrt.load` would open the published ones."""
    cuda = HostCuda()
    names = tuple(tensorrt.names(runtime, trt.__version__))
    files = graphed.files(folder, precision, names)
    kept = engines.Engines(folder / "engines", runtime, trt, capability=cuda.capability, gpu=cuda.name)
    data = tensorrt.engine_data(files, kept, precision, say, graphed.SIZES)
    graphs = GraphRuntime(tensorrt.opened(trt, cuda, kept, data), side=tiny.SIDE)
    tensorrt.warm(graphs)
    kept.remember()
    return graphs


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("version", ["11.4.0.106", "10.16.1.11"], ids=["whole", "split"])
def test_it_gives_what_torch_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, precision: str
) -> None:
    runtime, wanted = ready(tmp_path, installed(monkeypatch, version), precision), tiny.runtime()
    chunks = np.random.default_rng(0).standard_normal((2, 6480)).astype(np.float32) / 10
    np.testing.assert_allclose(runtime.hear(chunks), wanted.hear(chunks), rtol=0, atol=1e-5)
    for count in (1, 5):
        windows = graphed.windows(count)
        np.testing.assert_allclose(runtime.move(windows), wanted.move(windows), rtol=0, atol=1e-3)
    for count in (1, 3, 9):
        drawn, hoped = (each.draw(graphed.poses(each, count)).astype(int) for each in (runtime, wanted))
        assert np.abs(drawn - hoped).max() <= (1 if precision == "fp32" else 6)
    (tmp_path / "graphs" / "precision").write_text(precision)
    assert lacking(tmp_path, "tensorrt", version, [HostCuda().name]) == Lack(), "all that a start makes is finished"
    assert not lacking(tmp_path, "tensorrt", version, ["another GPU"]).graphs
    assert lacking(tmp_path, "tensorrt", version, ["another GPU"]).engines


def test_what_is_kept_of_a_portrait_is_freed_with_it_and_nothing_else_grows(tmp_path: Path, trt: Any) -> None:
    runtime = ready(tmp_path, trt)
    bindings = sys.modules["cuda.bindings.runtime"]
    for _ in range(2):
        runtime.draw(graphed.poses(runtime, 4))
        runtime.move(graphed.windows(2))
    gc.collect()
    before = len(bindings.kept)
    poses = graphed.poses(runtime, 4)
    assert len(bindings.kept) == before + 2
    runtime.draw(poses)
    del poses
    gc.collect()
    assert len(bindings.kept) == before


def test_a_second_look_does_not_change_the_first(tmp_path: Path, trt: Any) -> None:
    runtime = ready(tmp_path, trt)
    poses = graphed.poses(runtime, 1)
    drawn = runtime.draw(poses)
    for seed in range(5, 9):
        runtime.look(graphed.square(seed))
    np.testing.assert_array_equal(runtime.draw(poses), drawn)


def test_engines_are_built_once_and_told_of(tmp_path: Path, trt: Any) -> None:
    said: list[tuple[str, float]] = []
    ready(tmp_path, trt, say=lambda what, share: said.append((what, share)))
    assert len(trt.built) == len(build.WHOLE) + 1
    assert said[:2] == [("appearance", 0.5), ("appearance", 1.0)]
    assert [path.suffix for path in (tmp_path / "engines").iterdir() if "timings" in path.name] == [".cache"]
    ready(tmp_path, trt)
    assert len(trt.built) == len(build.WHOLE) + 1, "the second start builds nothing"


def test_kernels_that_were_finished_on_the_gpu_are_there_at_the_next_start(tmp_path: Path, trt: Any) -> None:
    for length in (1, 2):
        ready(tmp_path, trt, runtime="tensorrt-rtx")
        kernels = [path.read_bytes() for path in (tmp_path / "engines").glob("*.kernels")]
        assert kernels == [b"k" * length] * 8
    assert trt.built == ["SM89"] * 8


def test_a_broken_engine_is_removed_and_said(tmp_path: Path, trt: Any) -> None:
    ready(tmp_path, trt)
    [path] = (tmp_path / "engines").glob("stitch-*.engine")
    path.write_bytes(b"rust")
    with pytest.raises(StageError, match="engine stitch could not be read and was removed; start again"):
        ready(tmp_path, trt)
    ready(tmp_path, trt)


def test_an_engine_that_cannot_be_built_leaves_nothing(tmp_path: Path, trt: Any) -> None:
    trt.refuses = True
    with pytest.raises(StageError, match="tensorrt cannot build appearance"):
        ready(tmp_path, trt)
    assert not (tmp_path / "engines").exists()


def test_building_takes_no_more_memory_than_the_replica_may(
    tmp_path: Path, trt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPU_CAP_TENSORRT_WORKSPACE_MB", "512")
    ready(tmp_path, trt)
    assert trt.limits == {"workspace": 512 * 2**20}


def test_a_graph_that_this_version_cannot_read_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trt = installed(monkeypatch, "11.1.0.1")
    kept = engines.Engines(tmp_path, "tensorrt", trt, capability="sm89", gpu="NVIDIA L4")
    files = graphed.files(tmp_path, names=("warp",))
    with pytest.raises(StageError, match=r"tensorrt cannot read .*warp\.fp32\.onnx: GridSample: no importer"):
        tensorrt.engine_data(files, kept, "fp32", graphed.quiet, graphed.SIZES)


def test_more_than_an_engine_was_built_for_is_refused(tmp_path: Path, trt: Any) -> None:
    cuda = HostCuda()
    kept = engines.Engines(tmp_path, "tensorrt", trt, capability="sm89", gpu="")
    data = tensorrt.engine_data(graphed.files(tmp_path, names=("stitch",)), kept, "fp32", graphed.quiet, graphed.SIZES)
    machine = tensorrt.opened(trt, cuda, kept, data)
    points = np.zeros((9, 21, 3), np.float32)
    with pytest.raises(StageError, match=r"the engine stitch was not built for kp_source of \(9, 21, 3\)"):
        machine.run("stitch", {"kp_source": points, "kp_driving": points})


def test_old_versions_and_gpus_that_rtx_does_not_know_are_told(tmp_path: Path, trt: Any) -> None:
    del trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    with pytest.raises(StageError, match="cannot take precisions from the graph; use 10 or newer"):
        ready(tmp_path, trt)
    rtx = engines.Engines(tmp_path, "tensorrt-rtx", fake_tensorrt.tensorrt(), capability="sm90", gpu="NVIDIA H200")
    with pytest.raises(StageError, match="has no GPU 'sm90'; it knows sm86, sm89"):
        tensorrt.engine_data(graphed.files(tmp_path, names=("stitch",)), rtx, "fp32", graphed.quiet, graphed.SIZES)


def test_without_a_gpu_there_is_one_clear_line(tmp_path: Path, trt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match="the GPU cannot be used: cudaSetDevice gives 101"):
        open_runtime("tensorrt", tmp_path, "cuda:1")
    with pytest.raises(StageError, match="runs on an NVIDIA GPU"):
        open_runtime("tensorrt", tmp_path, "cpu")
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(StageError, match="engines need NVIDIA's cuda-bindings"):
        open_runtime("tensorrt", tmp_path)


def test_a_machine_without_that_gpu_builds_for_it_ahead(tmp_path: Path, trt: Any) -> None:
    graphed.files(tmp_path, "fp16")
    build.build(tmp_path, runtime="tensorrt-rtx", target="sm89", precision="fp16", progress=graphed.quiet)
    assert trt.built == ["SM89"] * 8
    assert build.wanted(tmp_path, "fp32") == "fp16"
    with pytest.raises(StageError, match="tensorrt builds for the GPU of this machine only"):
        build.build(tmp_path, runtime="tensorrt", target="sm89", precision="fp16", progress=graphed.quiet)
