"""Figures, dates, times, money and units become words; what spells numbers comes with the extra kokoro."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

if not (find_spec("num2words") and find_spec("cn2an")):
    pytest.skip("reading figures needs: pip install -c constraints.txt -e '.[kokoro]'", allow_module_level=True)

from actors.tts.kokoro import mandarin_text, spanish_text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("El 1/5/2024 a las 9:30.", "El primero de mayo de dos mil veinticuatro a las nueve y media."),
        ("2024-12-25", "veinticinco de diciembre de dos mil veinticuatro"),
        ("99/99/2024", "noventa y nueve entre noventa y nueve entre dos mil veinticuatro"),
        ("a las 14:05 h", "a las catorce y cinco"),
        ("a las 3:15 p. m.", "a las tres y quince de la tarde"),
        ("a las 21:00", "a las veintiuna"),
        ("5,20 €", "cinco euros con veinte céntimos"),
        ("$1,234.50", "mil doscientos treinta y cuatro dólares con cincuenta centavos"),
        ("£21", "veintiuna libras"),
        ("1.000 €", "mil euros"),
        ("1 €", "un euro"),
        ("-5 °C", "menos cinco grados"),
        ("21 km", "veintiún kilómetros"),
        ("1 h y 200 g", "una hora y doscientos gramos"),
        ("100 km/h", "cien kilómetros por hora"),
        ("50 %", "cincuenta por ciento"),
        ("1.234.567", "un millón doscientos treinta y cuatro mil quinientos sesenta y siete"),
        ("3,14 y 0,05", "tres coma catorce y cero coma cero cinco"),
        ("3,14159", "tres coma uno cuatro uno cinco nueve"),
        ("2.0.1", "dos punto cero punto uno"),
        ("3.er piso, 2.ª vez", "tercer piso, segunda vez"),
        ("siglo XIX", "siglo diecinueve"),
        ("Sra. Ruiz", "señora Ruiz"),
        ("2 + 2 = 4", "dos más dos igual a cuatro"),
        ("5-10", "cinco a diez"),
        ("612 345 678", "seis uno dos, tres cuatro cinco, seis siete ocho"),
        ("+34 612 345 678", "más tres cuatro, seis uno dos, tres cuatro cinco, seis siete ocho"),
        ("007", "cero cero siete"),
        ("info@ejemplo.com", "info arroba ejemplo punto com"),
        ("sin cifras", "sin cifras"),
    ],
)
def test_spanish_is_read_in_words(written: str, said: str) -> None:
    assert spanish_text.spoken_form(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2024年5月1日12:30", "二零二四年五月一日十二点三十分"),
        ("2024-05-01，9:05", "二零二四年五月一日，九点零五分"),
        ("2:00", "两点"),
        ("2024-99-01", "二千零二十四到九十九到零一"),
        ("¥12.5", "十二点五元"),
        ("$20", "二十美元"),
        ("3万美元", "三万美元"),
        ("-5℃", "零下五摄氏度"),
        ("2km", "两公里"),
        ("2个人，第2个", "两个人，第二个"),
        ("50%", "百分之五十"),
        ("3/4", "四分之三"),
        ("3-5天", "三到五天"),
        ("1,234,567", "一百二十三万四千五百六十七"),
        ("-3", "负三"),
        ("007", "零零七"),
        ("13812345678", "幺三八幺二三四五六七八"),
        ("2 + 2 = 4", "二加二等于四"),
        ("没有数字", "没有数字"),
    ],
)
def test_chinese_is_read_in_characters(written: str, said: str) -> None:
    assert mandarin_text.spoken_form(written) == said
