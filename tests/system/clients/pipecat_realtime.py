"""``pipecat-ai``: its realtime service in a pipeline with its own turn taking, without a transport."""

from __future__ import annotations

import asyncio
import sys

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseStartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner
from talk import Talk


class Asked(FrameProcessor):
    """Stands before the service: notes what was understood, and errors."""

    talk: Talk

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            self.talk.transcripts.append(frame.text)
        elif isinstance(frame, ErrorFrame):
            self.talk.errors.append(frame.error)
        await self.push_frame(frame, direction)


class Answered(FrameProcessor):
    """Stands behind the service, where a loudspeaker would."""

    talk: Talk

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case LLMFullResponseStartFrame():
                self.talk.began()
            case TTSAudioRawFrame():
                self.talk.sounded(len(frame.audio))
            case InterruptionFrame() if self.talk.begun >= 2:  # it may come after the end of what it interrupted
                self.talk.interrupted = True
            case _:
                pass
        await self.push_frame(frame, direction)


async def main() -> None:
    properties = events.SessionProperties(
        instructions="Be brief.",
        audio=events.AudioConfiguration(
            input=events.AudioInput(
                transcription=events.InputAudioTranscription(), turn_detection=events.TurnDetection()
            )
        ),
    )
    service = OpenAIRealtimeLLMService(
        api_key="none",
        base_url=sys.argv[1].replace("http", "ws", 1) + "/v1/realtime",
        settings=OpenAIRealtimeLLMService.Settings(session_properties=properties),
    )
    turns = LLMContextAggregatorPair(LLMContext())
    asked, answered = Asked(), Answered()
    worker = PipelineWorker(
        Pipeline([turns.user(), asked, service, answered, turns.assistant()]), cancel_on_idle_timeout=False
    )
    started = asyncio.Event()
    finished: set[str] = set()

    @worker.event_handler("on_pipeline_started")
    async def ready(*_: object) -> None:
        started.set()

    @service.event_handler("on_conversation_item_updated")
    async def stored(_: object, name: str, item: events.ConversationItem | None) -> None:
        if item and item.role == "assistant" and name not in finished:
            finished.add(name)
            answered.talk.ended(" ".join(part.transcript or "" for part in item.content or []), str(item.status))

    async def send(block: bytes) -> None:
        await worker.queue_frame(InputAudioRawFrame(audio=block, sample_rate=24_000, num_channels=1))

    async def talk() -> None:
        await started.wait()
        await asked.talk.hold()
        await worker.queue_frame(EndFrame())

    asked.talk = answered.talk = Talk(send)
    # It only logs what it could not read; here that counts as a failure.
    logger.add(lambda line: asked.talk.errors.append(str(line)), level="ERROR")
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), talk())


asyncio.run(main())
