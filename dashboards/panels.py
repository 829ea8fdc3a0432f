"""Every panel of the three dashboards, as data: what it shows, in which unit, and the query behind it.

Queries are of the names in streaming/metrics.py. A replica, a worker and a session of Ray's are labels there, so every
query adds them up. Where a counter has not counted yet Prometheus knows no series; ``or on() vector(0)`` says that this
is nothing, not unknown. ``$__rate_interval`` and ``$price`` are Grafana's to fill in.
"""

from __future__ import annotations

from dataclasses import dataclass

OVER = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Query:
    """One line of a panel, or several that differ by a label."""

    text: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A diagram over time."""

    title: str
    about: str
    """What to think of it, for whoever sees it in the night."""
    unit: str
    """Grafana's name of it: s, short, percentunit, Bps, bytes, currencyUSD."""
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Panels under one address."""

    uid: str
    title: str
    panels: tuple[Panel, ...]


def quantile(share: float, metric: str, by: str = "") -> str:
    """The value that ``share`` of a histogram's observations lie under."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket[{OVER}])))"


def rate(metric: str, by: str = "") -> str:
    """A counter's rise a second; 0 before it first counted."""
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(rate({metric}[{OVER}])) or on() vector(0)"


def share(part: str, whole: str) -> str:
    """How much of one counter's rise another's is; 0 while nothing rises."""
    return f"({rate(part)}) / clamp_min({rate(whole)}, 1e-9)"


def spread(metric: str) -> tuple[Query, ...]:
    return tuple(Query(quantile(part, metric), f"p{part * 100:g}") for part in (0.5, 0.95, 0.99))


QUALITY = Dashboard(
    "avatar-quality",
    "Avatar: conversation quality",
    (
        Panel(
            "Last word to first sound",
            "The wait that people feel. Goal: p50 at most 1 s, p95 at most 1.5 s.",
            "s",
            spread("avatar_voice_to_voice_seconds"),
        ),
        Panel(
            "Last word to first picture",
            "The same to the face. More than 40 ms behind the sound: the face is slow to begin.",
            "s",
            spread("avatar_voice_to_face_seconds"),
        ),
        Panel(
            "Where the wait goes",
            "Medians of its parts, one after another. The tallest is the one to work on.",
            "s",
            (
                Query(quantile(0.5, "avatar_asr_final_seconds"), "transcript"),
                Query(quantile(0.5, "avatar_llm_first_token_seconds"), "first text"),
                Query(quantile(0.5, "avatar_tts_first_audio_seconds"), "first sound"),
                Query(quantile(0.5, "avatar_first_frame_seconds"), "first picture"),
            ),
        ),
        Panel(
            "Replies a minute",
            "By how they ended. Cut is people's right; failed is ours.",
            "short",
            (Query(f"60 * ({rate('avatar_turns_total', 'outcome')})", "{{outcome}}"),),
        ),
        Panel(
            "Interruptions",
            "How many a minute, and how long until the client is silent. Goal: p95 at most 300 ms.",
            "short",
            (
                Query(f"60 * ({rate('avatar_barge_ins_total')})", "a minute"),
                Query(quantile(0.95, "avatar_barge_in_flush_seconds"), "p95 to silence, s"),
            ),
        ),
        Panel(
            "Lips behind the sound",
            "The newest picture that was sent against what is heard. Goal: p95 at most 40 ms.",
            "s",
            (Query(quantile(0.95, "avatar_av_skew_seconds"), "p95"),),
        ),
        Panel(
            "Sound in hand",
            "What clients hold and have not played, in mid-reply. At 0 they stutter.",
            "s",
            (
                Query(quantile(0.05, "avatar_playout_buffer_seconds"), "p5"),
                Query(quantile(0.5, "avatar_playout_buffer_seconds"), "p50"),
            ),
        ),
        Panel(
            "Pictures",
            "Sent a second, and which share of them came late or never. Goal: under 1 %.",
            "short",
            (
                Query(rate("avatar_frames_total"), "sent a second"),
                Query(share("avatar_frames_late_total", "avatar_frames_total"), "share that was late"),
                Query(share("avatar_frames_missing_total", "avatar_frames_total"), "share that never came"),
            ),
        ),
        Panel(
            "Errors a minute",
            "Calls that did not end well, by stage. One that was lost is repeated, and nobody notices.",
            "short",
            (Query(f"60 * ({rate('avatar_errors_total', 'stage, lost')})", "{{stage}} lost={{lost}}"),),
        ),
        Panel(
            "Late events a minute",
            "Answers for replies that were over. Some come with each interruption.",
            "short",
            (Query(f"60 * ({rate('avatar_events_late_total', 'event')})", "{{event}}"),),
        ),
        Panel(
            "Clients that came back",
            "After their connection was cut, a minute.",
            "short",
            (Query(f"60 * ({rate('avatar_resumes_total', 'outcome')})", "{{outcome}}"),),
        ),
        Panel(
            "Tokens a minute",
            "By the language model's own count; a model that does not count shows nothing.",
            "short",
            (Query(f"60 * ({rate('avatar_llm_tokens_total', 'kind')})", "{{kind}}"),),
        ),
    ),
)

STAGES = Dashboard(
    "avatar-stages",
    "Avatar: stages and GPUs",
    (
        Panel(
            "Work for a second of sound",
            "p95 by stage. Above 1 a stage falls behind, and people wait.",
            "short",
            (Query(quantile(0.95, "avatar_stage_real_time_factor", "stage"), "{{stage}}"),),
        ),
        Panel(
            "Wait for the first answer",
            "p95 by stage, in its replicas. It grows when there are too few of them.",
            "s",
            (Query(quantile(0.95, "avatar_queue_wait_seconds", "stage"), "{{stage}}"),),
        ),
        Panel(
            "Calls under way",
            "By stage, of all replicas.",
            "short",
            (Query("sum by (stage) (avatar_calls_active)", "{{stage}}"),),
        ),
        Panel(
            "Streams a minute",
            "Opened at callers and replicas, and how they ended. Cancelled: interruptions. Leased: a caller that died.",
            "short",
            (
                Query(
                    f"60 * ({rate('avatar_streams_total', 'stage, side, outcome')})", "{{stage}} {{side}} {{outcome}}"
                ),
            ),
        ),
        Panel(
            "Worked on at once",
            "Median size of a batch, by stage.",
            "short",
            (Query(quantile(0.5, "avatar_batch_size", "stage"), "{{stage}}"),),
        ),
        Panel(
            "Time left when a picture is sent",
            "The face's reserve. At 0 pictures are late.",
            "s",
            (
                Query(quantile(0.05, "avatar_deadline_slack_seconds"), "p5"),
                Query(quantile(0.5, "avatar_deadline_slack_seconds"), "p50"),
            ),
        ),
        Panel(
            "Pictures left out a second",
            "By reason. Late, or busy: half the rate, then a still picture. Steadily above 0 the face needs more GPUs.",
            "short",
            (Query(rate("avatar_frames_skipped_total", "reason"), "{{reason}}"),),
        ),
        Panel(
            "Items that wait",
            "In the queues of all conversations, by queue.",
            "short",
            (Query("sum by (queue) (avatar_queue_depth)", "{{queue}}"),),
        ),
        Panel(
            "Loading an engine",
            "The longest of the last hour, by stage: how long a new replica takes.",
            "s",
            (
                Query(
                    "max by (stage) (avatar_model_load_seconds_sum / clamp_min(avatar_model_load_seconds_count, 1))",
                    "{{stage}}",
                ),
            ),
        ),
        Panel(
            "GPU memory",
            "Share in use, of each GPU. Above 92 % the next reply may fail.",
            "percentunit",
            (
                Query(
                    "max by (NodeAddress, gpu) (avatar_gpu_memory_used_bytes)"
                    " / max by (NodeAddress, gpu) (avatar_gpu_memory_total_bytes)",
                    "{{NodeAddress}} {{gpu}}",
                ),
            ),
        ),
        Panel(
            "GPU at work",
            "Share of the time in which any kernel ran. Near 1 it is full.",
            "percentunit",
            (Query("max by (NodeAddress, gpu) (avatar_gpu_utilization_ratio)", "{{NodeAddress}} {{gpu}}"),),
        ),
    ),
)

CLUSTER = Dashboard(
    "avatar-cluster",
    "Avatar: cluster and cost",
    (
        Panel(
            "Conversations",
            "That go on now, and those of them whose avatar speaks.",
            "short",
            (Query("sum(avatar_sessions_active)", "now"), Query("sum(avatar_sessions_speaking)", "speaking")),
        ),
        Panel(
            "New conversations a minute",
            "And those that were not let in, by reason.",
            "short",
            (
                Query(f"60 * ({rate('avatar_sessions_total')})", "let in"),
                Query(f"60 * ({rate('avatar_sessions_rejected_total', 'reason')})", "refused: {{reason}}"),
            ),
        ),
        Panel(
            "Length of a conversation",
            "Of those that ended.",
            "s",
            (Query(quantile(0.5, "avatar_session_duration_seconds"), "p50"),),
        ),
        Panel(
            "Traffic",
            "Over the sockets of all gateways.",
            "Bps",
            (Query(rate("avatar_websocket_bytes_total", "direction"), "{{direction}}"),),
        ),
        Panel(
            "Speech",
            "Seconds of it a second: how many avatars speak at once on average.",
            "short",
            (Query(rate("avatar_speech_seconds_total"), "speaking"),),
        ),
        Panel(
            "Cost of a minute of speech",
            "GPUs that are there, at the price set above, for the speech of the moment. Idle GPUs cost as well.",
            "currencyUSD",
            (
                Query(
                    "(count(max by (NodeAddress, gpu) (avatar_gpu_memory_total_bytes)) or on() vector(0)) * $price / 60"
                    f" / clamp_min(sum(rate(avatar_speech_seconds_total[{OVER}])), 1e-3)",
                    "a minute",
                ),
            ),
        ),
        Panel(
            "Healthy replicas",
            "By deployment, as Ray Serve counts them.",
            "short",
            (Query("sum by (deployment) (ray_serve_deployment_replica_healthy)", "{{deployment}}"),),
        ),
        Panel(
            "Machines",
            "CPU use of each, as Ray sees it.",
            "percent",
            (Query("max by (NodeAddress) (ray_node_cpu_utilization)", "{{NodeAddress}}"),),
        ),
    ),
)

DASHBOARDS = (QUALITY, STAGES, CLUSTER)
