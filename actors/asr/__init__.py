"""Recognition: what was said, and when somebody speaks."""

ENGINES: dict[str, str] = {
    "whisper": "actors.asr.whisper:Whisper",
    "silero": "actors.asr.listen:SileroListener",
}
"""Name in the settings -> "module:Class"; imported when it is used."""
