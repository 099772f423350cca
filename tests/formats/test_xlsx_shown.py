"""A prompt gets what the cell shows; templates still calculate, and the output keeps the number."""

from __future__ import annotations

import pytest

from batchdrop.adapters.formats.xlsx.shown import shown, shown_text
from batchdrop.requests.prompt import Prompt


@pytest.mark.parametrize(
    ("number", "number_format", "text"),
    [
        (0.1 + 0.2, 0, "0.3"),
        (4006381333931, 0, None),
        (1234.5, 0, "1234.5"),
        (2.0000000000000004, 0, "2"),
        (7, "00000", "00007"),
        (1234567.891, "0.0", "1234567.9"),
        (0.125, 9, "13%"),
        (0.125, 10, "12.50%"),
        (0.125, "0.0%", "12.5%"),
        (1234567.5, 3, "1,234,568"),
        (1234567.5, 4, "1,234,567.50"),
        (-1234.5, 39, "(1,234.50)"),
        (-5, "0.00", "-5.00"),
        (2.345, "0.00", "2.35"),
        (2.5, "0", "3"),
        (-2.5, "0", "-3"),
        (1999.9, '"€" #,##0.00', "€ 1,999.90"),
        (1999.9, "#,##0.00 [$€-407]", "1,999.90 €"),
        (1999.9, "[$$-409]#,##0", "$2,000"),
        (5, '[Red]0.0" kg"', "5.0 kg"),
        (0, '0.0;-0.0;"none"0', "none0"),
        (1.5, "0.0##", "1.5"),
        (1.23456, "0.0##", "1.235"),
        (0.5, "#.##", ".5"),
        (1234567, "0.0,,", "1.2"),
        (12, "0.00E+00", None),
        (1.5, "# ?/?", None),
        (12, "@", None),
        (12, 41, None),
    ],
)
def test_numbers_are_written_as_their_cells_show_them(
    number: float, number_format: int | str, text: str | None
) -> None:
    """In the formats that people choose; in others they stay numbers."""
    assert shown_text(number, number_format) == text


def test_a_shown_number_is_still_a_number() -> None:
    """In conditions, in arithmetic, and as JSON."""
    cells = {"share": shown(0.125, "0.0%"), "code": shown(7, "000")}
    prompt = Prompt(
        "{{ share }} {{ share * 2 }} {% if share < 1 %}low{% endif %} {{ code }} {{ code + 1 }} {{ row | json }}",
        name="r",
    )
    assert prompt.render(cells) == '12.5% 0.25 low 007 8 {"share":0.125,"code":7}'
    assert Prompt("{{ share }}", name="r").render(cells) == "12.5%"
