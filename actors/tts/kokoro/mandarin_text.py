"""What is written, made ready to be read aloud in Chinese: figures, dates, times, money, units and signs as characters.

Numbers become characters by the library cn2an; what they stand for is told here. This file knows no sound.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_MONEY = {
    "¥": "元", "￥": "元", "RMB": "元", "CNY": "元", "$": "美元", "US$": "美元", "USD": "美元",
    "€": "欧元", "£": "英镑",
}  # fmt: skip
_UNITS = {
    "km/h": "公里每小时", "m/s": "米每秒", "km²": "平方公里", "m²": "平方米", "m³": "立方米", "km": "公里",
    "cm": "厘米",
    "mm": "毫米", "m": "米", "kg": "公斤", "mg": "毫克", "g": "克", "ml": "毫升", "mL": "毫升", "l": "升", "L": "升",
    "°C": "摄氏度", "℃": "摄氏度", "°F": "华氏度", "°": "度", "ms": "毫秒", "min": "分钟", "s": "秒", "h": "小时",
    "kWh": "千瓦时", "kW": "千瓦", "W": "瓦", "V": "伏", "Hz": "赫兹",
}  # fmt: skip
_MEASURES = "个只条张块瓶杯份本辆台匹头位亩天名件次种岁人口家座双层间"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_FIGURES = "零一二三四五六七八九"


def spoken_form(text: str) -> str:
    """The text in characters alone; Latin words stay."""
    for pattern, told in _RULES:
        text = pattern.sub(told, text)
    return text


def digits(written: str) -> str:
    """``2024`` -> 二零二四."""
    return "".join(_FIGURES[int(figure)] for figure in written if figure.isdigit())


def cardinal(written: str) -> str:
    """``1,200.5`` -> 一千二百点五; figures that are too many for a number, one by one."""
    import cn2an  # pyright: ignore[reportMissingImports]

    plain = written.replace(",", "")
    whole, _, rest = plain.partition(".")
    if len(whole) > 16 or (len(whole) > 1 and whole[0] == "0"):
        return digits(whole) + (f"点{digits(rest)}" if rest else "")
    words = str(cn2an.an2cn(whole, "low"))
    return words + (f"点{digits(rest)}" if rest else "")


def _counted(written: str) -> str:
    """Before a measure word two is 两."""
    return "两" if written == "2" else cardinal(written)


def _unit(match: re.Match[str]) -> str:
    unit = _UNITS[match["unit"]]
    minus = ("零下" if unit.endswith("度") else "负") if match["minus"] else ""
    return f"{minus}{_counted(match['n'])}{unit}"


def _money(match: re.Match[str]) -> str:
    return cardinal(match["n1"] or match["n2"]) + (match["much"] or "") + _MONEY[match["s1"] or match["s2"]]


def _date(match: re.Match[str]) -> str:
    month, day = int(match["m"]), int(match["d"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{digits(match['y'])}年{cardinal(str(month))}月{cardinal(str(day))}日"


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match["h"]), int(match["min"])
    if hour > 24 or minute > 59:
        return match[0]
    told = f"{_counted(str(hour))}点"
    if minute:
        told += ("零" if minute < 10 else "") + cardinal(str(minute)) + "分"
    return told


def _number(match: re.Match[str]) -> str:
    return ("负" if match["minus"] else "") + cardinal(match["n"])


def _alternatives(names: dict[str, str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


_Told = str | Callable[[re.Match[str]], str]

_RULES: tuple[tuple[re.Pattern[str], _Told], ...] = tuple(
    (re.compile(pattern), told)
    for pattern, told in (
        (r"(?<![\d/.-])(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?![\d/-])", _date),
        (r"(?<!\d)(\d{4}|\d{2})(?=年)", lambda m: digits(m[0])),
        (r"(?<![\d:：])(?P<h>\d{1,2})[:：](?P<min>\d{2})(?![:：\d])", _time),
        (r"(?<!\d)1[3-9]\d{9}(?!\d)|(?<!\d)\d{3,4}-\d{7,8}(?!\d)", lambda m: digits(m[0]).replace("一", "幺")),
        (
            rf"(?:(?P<s1>US\$|[¥￥$€£])\s?(?P<n1>{_NUMBER})|(?<![\d.,])(?P<n2>{_NUMBER})\s?(?=[万亿]?(?:{_alternatives(_MONEY)})))"
            rf"(?P<much>[万亿])?(?P<s2>{_alternatives(_MONEY)})?",
            _money,
        ),
        (
            rf"(?P<minus>(?<!\d)[-−])?(?<![\d.,])(?P<n>{_NUMBER})\s?(?P<unit>{_alternatives(_UNITS)})(?![A-Za-z/²³])",
            _unit,
        ),
        (
            rf"(?P<minus>(?<!\d)[-−])?(?P<n>{_NUMBER})\s?[%％]",
            lambda m: "负" * bool(m["minus"]) + "百分之" + cardinal(m["n"]),
        ),
        (r"(?<![\d/])(\d+)/(\d+)(?![\d/])", lambda m: f"{cardinal(m[2])}分之{cardinal(m[1])}"),
        (r"(?<=\d)\s?[-–—~～]\s?(?=\d)", "到"),
        (r"(?<=\d)\s?[×x*]\s?(?=\d)", "乘"),
        (r"\s?=\s?", "等于"),
        (r"(?<=\d)\s?\+\s?(?=\d)", "加"),
        (rf"(?<![\d.第])2(?=[{_MEASURES}])", "两"),
        (rf"(?P<minus>(?<![\d\w])[-−])?(?P<n>{_NUMBER})", _number),
        (r"&", "和"),
        (r"@", "艾特"),
        (r"℃", "摄氏度"),
    )
)
