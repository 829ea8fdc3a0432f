"""``livekit-plugins-openai``: its realtime model, driven as an agent session of theirs drives it, without a room."""

from __future__ import annotations

import asyncio
import logging
import sys
import time

import aiohttp
from livekit import rtc
from livekit.agents import llm
from livekit.plugins.openai.realtime import RealtimeModel
from talk import Talk


class Complaints(logging.Handler):
    """The library only logs what it could not read; here that counts as a failure."""

    def __init__(self, talk: Talk) -> None:
        super().__init__(logging.WARNING)
        self._talk = talk

    def emit(self, record: logging.LogRecord) -> None:
        self._talk.errors.append(self.format(record))


async def main() -> None:
    async with aiohttp.ClientSession() as http:
        model = RealtimeModel(model="any", api_key="none", base_url=sys.argv[1] + "/v1", http_session=http)
        session = model.session()

        async def send(block: bytes) -> None:
            session.push_audio(rtc.AudioFrame(block, 24_000, 1, len(block) // 2))

        talk = Talk(send)
        logging.getLogger("livekit").addHandler(Complaints(talk))
        playing: dict[str, float] = {}
        """Of the message that is heard: when its sound began."""
        got_ms: dict[str, float] = {}
        """Of each message: the sound that came; nobody hears more."""
        readers: set[asyncio.Task[None]] = set()

        async def read(generation: llm.GenerationCreatedEvent) -> None:
            async for message in generation.message_stream:
                async for frame in message.audio_stream:
                    if not playing.get(message.message_id):
                        playing.clear()
                        playing[message.message_id] = time.monotonic()
                    got_ms[message.message_id] = got_ms.get(message.message_id, 0.0) + frame.duration * 1000
                    talk.sounded(len(frame.data) * 2)

        def generated(generation: llm.GenerationCreatedEvent) -> None:
            talk.began()
            readers.add(asyncio.create_task(read(generation)))

        def spoken_over(_: llm.InputSpeechStartedEvent) -> None:
            if not session.has_active_generation:
                return
            talk.interrupted = True
            session.interrupt()
            for name, began in playing.items():
                heard_ms = int(min((time.monotonic() - began) * 1000, got_ms[name]))
                session.truncate(message_id=name, modalities=["audio"], audio_end_ms=heard_ms)

        def transcribed(heard: llm.InputTranscriptionCompleted) -> None:
            if heard.is_final:
                talk.transcripts.append(heard.transcript)

        def told(event: dict) -> None:
            if event["type"] == "response.done":
                parts = [part for item in event["response"]["output"] for part in item.get("content", [])]
                talk.ended(" ".join(part.get("transcript") or "" for part in parts), event["response"]["status"])

        session.on("generation_created", generated)
        session.on("input_speech_started", spoken_over)
        session.on("input_audio_transcription_completed", transcribed)
        session.on("openai_server_event_received", told)
        session.on("error", lambda error: talk.errors.append(str(error.error)))
        session.update_options(tool_choice="auto")
        await session.update_instructions("Be brief.")
        await talk.hold()
        await session.aclose()


asyncio.run(main())
