"""Recognition: what was said, when somebody speaks, and whether it sounds complete."""

ENGINES: dict[str, str] = {
    "whisper": "actors.asr.whisper:Whisper",
    "silero": "actors.asr.listen:SileroListener",
    "smart_turn": "actors.asr.smart_turn:SmartTurn",
}
"""Name in the settings -> "module:Class"; imported when it is used."""
