"""Every metric, declared once as data: name, unit, labels and buckets.

Dashboards, documents and exporters are checked against ``METRICS``. Nothing here counts or exports: streaming/meter.py
reads a conversation's metrics off its events, replicas tell those of their engines, and whoever runs the process binds
``Record`` to a library (serve_app/instruments.py, actors/metering.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
LENGTHS = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
LEFT = (0.0, 0.02, 0.04, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)
"""Seconds that are left, or that sound is ahead of a picture; what is in the first one is on time or late."""
LOADS = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0)
BATCHES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
RATIOS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds of work for a second of sound; above 1 a stage falls behind."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One time series family."""

    name: str
    """As scraped from one process; counters end in ``_total``."""
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    """Never a session or a person."""
    buckets: tuple[float, ...] = ()
    """Upper bounds, in the unit that the name ends in; a ratio has none."""


METRICS: tuple[Metric, ...] = (
    Metric(
        "avatar_voice_to_voice_seconds",
        "histogram",
        "From the person's last voiced sample, released button or typed text to the reply's first sound that is sent",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_voice_to_face_seconds",
        "histogram",
        "From the person's last voiced sample, released button or typed text to the reply's first picture that is sent",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_asr_final_seconds",
        "histogram",
        "From the last voiced sample, or the button's release, to the accepted transcript",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_llm_first_token_seconds",
        "histogram",
        "From the question to the language model's first text",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_tts_first_audio_seconds",
        "histogram",
        "From the first text to the first sound of the reply that is sent",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_first_frame_seconds",
        "histogram",
        "From the first sound of the reply to its first picture that is sent",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_stage_real_time_factor",
        "histogram",
        "Time of a call that ended well, for each second of sound heard, spoken or drawn to",
        ("stage",),
        RATIOS,
    ),
    Metric("avatar_turns_total", "counter", "Replies by how they ended: completed, failed, cut or left", ("outcome",)),
    Metric("avatar_barge_ins_total", "counter", "Replies that somebody interrupted"),
    Metric(
        "avatar_barge_in_flush_seconds",
        "histogram",
        "From the decision to stop a reply to the client's word that it is silent",
        buckets=SECONDS,
    ),
    Metric("avatar_speech_seconds_total", "counter", "Seconds of speech that were sent"),
    Metric("avatar_frames_total", "counter", "Pictures that were sent"),
    Metric("avatar_frames_late_total", "counter", "Of those: sent after their sound was heard"),
    Metric("avatar_frames_missing_total", "counter", "Pictures of a reply that were to be drawn and never came"),
    Metric(
        "avatar_frames_skipped_total",
        "counter",
        "Pictures that a face left out: late, or as its plan wants when it is busy: half the rate, still",
        ("reason",),
    ),
    Metric(
        "avatar_deadline_slack_seconds",
        "histogram",
        "Time left until the sound of a picture is heard, when the picture is sent",
        buckets=LEFT,
    ),
    Metric(
        "avatar_av_skew_seconds",
        "histogram",
        "How far the newest picture that was sent lies behind the sound that is heard, at a client's report",
        buckets=LEFT,
    ),
    Metric(
        "avatar_playout_buffer_seconds",
        "histogram",
        "Sound that the client holds and has not played, at its report in mid-reply",
        buckets=LEFT,
    ),
    Metric("avatar_llm_tokens_total", "counter", "Tokens by the language model's own count", ("kind",)),
    Metric(
        "avatar_events_late_total", "counter", "Events that came for a reply or utterance that was over", ("event",)
    ),
    Metric("avatar_errors_total", "counter", "Calls that did not end well", ("stage", "lost")),
    Metric("avatar_sessions_active", "gauge", "Conversations that go on now"),
    Metric("avatar_sessions_speaking", "gauge", "Of those: whose avatar speaks now"),
    Metric("avatar_sessions_total", "counter", "Conversations that began"),
    Metric("avatar_resumes_total", "counter", "Clients that wanted a conversation back", ("outcome",)),
    Metric("avatar_session_duration_seconds", "histogram", "Length of conversations that are over", buckets=LENGTHS),
    Metric("avatar_sessions_rejected_total", "counter", "Clients that were not let in", ("reason",)),
    Metric("avatar_websocket_bytes_total", "counter", "Bytes of messages over sockets", ("direction",)),
    Metric("avatar_queue_depth", "gauge", "Items that wait now, in all queues of that name", ("queue",)),
    Metric(
        "avatar_streams_total",
        "counter",
        "Streams between processes that were opened, and how they ended: ended, cancelled, failed or leased out",
        ("stage", "side", "outcome"),
    ),
    Metric("avatar_calls_active", "gauge", "Calls that a stage's replicas work on now", ("stage",)),
    Metric(
        "avatar_queue_wait_seconds",
        "histogram",
        "From a call's arrival at a replica to its first answer, other calls before it included",
        ("stage",),
        SECONDS,
    ),
    Metric("avatar_batch_size", "histogram", "Calls or pictures that an engine worked on at once", ("stage",), BATCHES),
    Metric("avatar_model_load_seconds", "histogram", "Time to load a stage's engine", ("stage",), LOADS),
    Metric("avatar_gpu_memory_used_bytes", "gauge", "Memory of a GPU in use, by all its processes", ("gpu",)),
    Metric("avatar_gpu_memory_total_bytes", "gauge", "Memory of a GPU", ("gpu",)),
    Metric("avatar_gpu_utilization_ratio", "gauge", "Share of the last moment in which a GPU worked", ("gpu",)),
)
"""All of them. A name that is not here is recorded nowhere."""

Record = Callable[[str, float, dict[str, str]], None]
"""Takes a metric's name, a value (a second, or how many more; a gauge may fall) and its labels."""

Reading = tuple[str, float, dict[str, str]]
"""What one call of ``Record`` is given. Engines that measure themselves give these when they are asked."""
