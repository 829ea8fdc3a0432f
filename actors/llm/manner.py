"""How a language model is asked to talk: in the person's language, in words that a voice can say.

Written in English, Spanish and Chinese, for a model follows a prompt best in the language that it shall answer in.
Numbers, dates and units that come as figures all the same are read by the voice. This file knows no server.
"""

from __future__ import annotations

import re

from streaming.stages import History

LOOKED_AT = 3
"""Newest things that the person said: "OK" tells no language, what came before it may."""

PROMPTS = {
    "en": (
        "Your words are spoken aloud by a voice and only heard, so talk as people talk: short, plain sentences, one to"
        " three unless more is asked for. No Markdown, headings, lists, tables, emoji, code or web addresses; say in"
        " words what they would show. Write numbers, dates, times, amounts and units as they are said. Answer in"
        " the language in which the person speaks to you. If what follows asks for something else, do that."
    ),
    "es": (
        "Tus palabras las dice una voz y solo se oyen, así que habla como habla la gente: frases cortas y sencillas, de"
        " una a tres si no te piden más. Nada de Markdown, títulos, listas, tablas, emojis, código ni direcciones web;"
        " di con palabras lo que mostrarían. Escribe los números, fechas, horas, cantidades y unidades tal como se"
        " dicen. Responde en español mientras te hablen en español. Si lo que sigue pide otra cosa, haz eso."
    ),
    "zh": (
        "你的话会由语音念出来，别人只能听到，所以请像平时说话一样：句子简短自然，没有特别要求时只说一到三句。"
        "不要使用 Markdown、标题、列表、表格、表情符号、代码或网址，要用话把意思说出来。"
        "数字、日期、时间、金额和单位按口语的读法写。对方说中文时用中文回答。如果下面另有要求，以下面的要求为准。"
    ),
}

_HAN = re.compile(r"[\u3400-\u9fff]")
_KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_SPANISH = frozenset(
    "hola gracias adiós buenos buenas sí qué que cómo cuál cuándo dónde quién por para porque pero con sin el los las"
    " un una unos unas del al es está están soy eres estoy puedes quiero tengo hay muy más también tú usted mi su"
    " se lo le nos ahora hoy mañana".split()
)
_ENGLISH = frozenset(
    "the a an is are am i you he she it we they what how why who when where which and or but of to in on for with do"
    " does did can could would please hello hi thanks yes my your this that there have has not".split()
)


def manner(history: History) -> str:
    """The prompt for whoever said the last things in ``history``; the English one where the language has none."""
    return PROMPTS[language_of(history) or "en"]


def language_of(history: History) -> str:
    """Language of the newest words of the person that tell it: en, es or zh; empty if none does."""
    said = [item.text for item in history if item.role == "user"]
    return next((found for text in reversed(said[-LOOKED_AT:]) if (found := _language(text))), "")


def _language(text: str) -> str:
    if _HAN.search(text):
        return "" if _KANA_OR_HANGUL.search(text) else "zh"
    words = re.findall(r"[^\W\d_]+", text.lower())
    spanish = sum(word in _SPANISH for word in words) + 2 * len(re.findall(r"[¿¡ñ]", text.lower()))
    english = sum(word in _ENGLISH for word in words)
    if spanish == english:
        return ""
    return "es" if spanish > english else "en"
