from paths import ROOT
from promptuary.cli.role_table import role_table

PAGE = ROOT / "docs" / "people.md"
BEGIN, END = "<!-- printed by: promptuary key roles -->\n", "<!-- end -->"


def test_the_table_of_roles_is_the_one_that_the_code_prints() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == role_table().strip()
