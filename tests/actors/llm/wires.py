"""The same two replies as each kind of server puts them on the wire, with its habits.

Written by hand after the forms that the servers document and send, not recorded from running ones.
"""

from __future__ import annotations

_HEAD = '"id":"c1","object":"chat.completion.chunk","created":1,"model":"m"'


def _events(*data: str) -> bytes:
    return "".join(f"data: {{{_HEAD},{one}}}\n\n" for one in data).encode()


def _delta(delta: str, finish: str = "null") -> str:
    return f'"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]'


_USAGE = '"usage":{"prompt_tokens":30,"completion_tokens":4,"total_tokens":34}'

TEXT: dict[str, bytes] = {
    # The role first, a count at the end in a chunk without choices, `usage: null` before that.
    "openai": _events(
        _delta('{"role":"assistant","content":"","refusal":null}') + ',"usage":null,"obfuscation":"aB3"',
        _delta('{"content":"Good"}') + ',"usage":null',
        _delta('{"content":" morning."}') + ',"usage":null',
        _delta("{}", '"stop"') + ',"usage":null',
        '"choices":[],' + _USAGE,
    )
    + b"data: [DONE]\n\n",
    # What its filter found in the question comes first, without choices, model or time.
    "azure": b'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":'
    b'[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}\n\n'
    + _events(
        _delta('{"role":"assistant","content":""}'),
        _delta('{"content":"Good morning."}') + ',"content_filter_offsets":{"check_offset":1}',
        _delta("{}", '"stop"'),
        '"choices":[],' + _USAGE,
    )
    + b"data: [DONE]\n\n",
    # Signs of life, a thought in a field of its own, and one in the text where no parser is set up.
    "vllm": b": keep-alive\n\n"
    + _events(
        _delta('{"role":"assistant","content":"","reasoning_content":null}'),
        _delta('{"reasoning_content":"They greet me."}'),
        _delta('{"content":"<th"}'),
        _delta('{"content":"ink>\\n\\n</think>"}'),
        _delta('{"content":"\\n\\nGood"}'),
        _delta('{"content":" morning."}'),
        _delta('{"content":""}', '"stop"') + ',"stop_reason":null',
        '"choices":[],' + _USAGE,
    )
    + b"data: [DONE]\n\n",
    # No space behind the colon, the role in every piece.
    "ollama": _events(
        _delta('{"role":"assistant","content":"Good"}') + ',"system_fingerprint":"fp_ollama"',
        _delta('{"role":"assistant","content":" morning."}'),
        _delta('{"role":"assistant","content":""}', '"stop"'),
        '"choices":[],' + _USAGE,
    ).replace(b"data: ", b"data:")
    + b"data:[DONE]\n\n",
    # Carriage returns, `content: null` first, timings at the end, and no [DONE].
    "llamacpp": (
        b": ping\n\n"
        + _events(
            _delta('{"role":"assistant","content":null}'),
            _delta('{"content":"Good morning."}'),
            _delta("{}", '"stop"'),
            '"choices":[],' + _USAGE + ',"timings":{"prompt_n":30,"predicted_per_second":51.2}',
        )
    ).replace(b"\n", b"\r\n"),
}

_FIRST = '"function":{"name":"look","arguments":""}'

CALLS: dict[str, bytes] = {
    # Name and id once, arguments in pieces, told apart by index.
    "openai": _events(
        _delta(
            f'{{"role":"assistant","content":null,"tool_calls":[{{"index":0,"id":"a","type":"function",{_FIRST}}}]}}'
        ),
        _delta('{"tool_calls":[{"index":0,"function":{"arguments":"{\\"at\\":"}}]}'),
        _delta('{"tool_calls":[{"index":0,"function":{"arguments":"\\"sky\\"}"}}]}'),
        _delta(f'{{"tool_calls":[{{"index":1,"id":"b","type":"function",{_FIRST}}}]}}'),
        _delta('{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}'),
        _delta("{}", '"tool_calls"'),
    )
    + b"data: [DONE]\n\n",
    # Whole calls, both with the first index.
    "ollama": _events(
        _delta(
            '{"role":"assistant","content":"","tool_calls":[{"index":0,"id":"a","type":"function","function":'
            '{"name":"look","arguments":"{\\"at\\":\\"sky\\"}"}}]}'
        ),
        _delta(
            '{"role":"assistant","content":"","tool_calls":[{"index":0,"id":"b","type":"function","function":'
            '{"name":"look","arguments":"{}"}}]}'
        ),
        _delta('{"role":"assistant","content":""}', '"stop"'),
    )
    + b"data: [DONE]\n\n",
}
