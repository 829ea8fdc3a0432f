"""Python ``openai``: its asynchronous realtime connection."""

from __future__ import annotations

import asyncio
import base64
import sys

from openai import AsyncOpenAI
from talk import Talk


async def main() -> None:
    address = sys.argv[1] + "/v1"
    client = AsyncOpenAI(api_key="none", base_url=address, websocket_base_url=address.replace("http", "ws", 1))
    async with client.realtime.connect(model="any") as connection:
        await connection.session.update(
            session={"type": "realtime", "instructions": "Be brief.", "output_modalities": ["audio"]}
        )

        async def send(block: bytes) -> None:
            await connection.input_audio_buffer.append(audio=base64.b64encode(block).decode())

        talk = Talk(send)
        holding = asyncio.create_task(talk.hold())
        holding.add_done_callback(lambda _: asyncio.ensure_future(connection.close()))
        said = ""
        async for event in connection:
            match event.type:
                case "conversation.item.input_audio_transcription.completed":
                    talk.transcripts.append(event.transcript)
                case "response.created":
                    said = ""
                    talk.began()
                case "response.output_audio.delta":
                    talk.sounded(len(base64.b64decode(event.delta)))
                case "response.output_audio_transcript.done":
                    said = event.transcript
                case "response.done":
                    status = event.response.status
                    talk.interrupted = talk.interrupted or status in ("cancelled", "incomplete")
                    talk.ended(said, str(status))
                case "error":
                    talk.errors.append(event.error.message)
        await holding


asyncio.run(main())
