"""Language: what to answer."""

ENGINES: dict[str, str] = {
    "guide": "actors.llm.guide:Guide",
    "chat": "actors.llm.chat:Chat",
    "smollm": "actors.llm.smollm.engine:SmolLM",
}
"""Name in the settings -> "module:Class"; imported when it is used."""
