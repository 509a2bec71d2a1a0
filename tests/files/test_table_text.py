"""Where a table begins: beside what pandas reads, what it does not pass over."""

from io import StringIO

import pandas as pd
import pytest

from overmix.files.table_text import table_in


@pytest.mark.parametrize(
    ("text", "names", "separator", "rows", "first_line"),
    [
        ("sep=;\na,b;y\n1;2", ["a,b", "y"], ";", "1;2", 3),
        ('\n \r\n"a;b"|"c ""d"""|y\r\n1|2|3\r\n', ["a;b", 'c "d"', "y"], "|", "1|2|3\r\n", 4),
        ('"Weight\n(kg)", "a, b",y\n1,2,3', ["Weight\n(kg)", "a, b", "y"], ",", "1,2,3", 3),
        ('"epoch"  "val loss"\n0 1\n', ["epoch", "val loss"], " ", "0 1\n", 2),
        ("\ta\tb\n1\t2\t3\n", ["", "a", "b"], "\t", "1\t2\t3\n", 2),
        ('disk 5" wide,y\n5,"a"\n', ['disk 5" wide', "y"], ",", '5,"a"\n', 2),
        ('a,"b,y\n1,"2",3\n', ["a", "b,y"], ",", '1,"2",3\n', 2),  # a quote that is not closed takes its line alone
        ("# one, two, three\na;b;y\n1;2;3\n", ["a", "b", "y"], ";", "1;2;3\n", 3),
        ("# by x, y, z\n# epoch,loss,optimizer\n0,0.5,adam\n", ["epoch", "loss", "optimizer"], ",", "0,0.5,adam\n", 3),
        ("# epoch;loss;optimizer\n0;0,5;adam\n", ["epoch", "loss", "optimizer"], ";", "0;0,5;adam\n", 2),
        ("# of 3, by, me\na,b,y\n", ["a", "b", "y"], ",", "", 3),
    ],
)
def test_where_a_table_begins(text, names, separator, rows, first_line):
    table = table_in(text)
    assert (table.names, table.separator, table.rows, table.first_line) == (names, separator, rows, first_line)


def test_names_in_quotes_are_those_that_pandas_reads():
    frame = pd.DataFrame([[1, 2, 3]], columns=["a\n;,b", 'c"d', " e"])
    for separator in ",;\t|":
        text = frame.to_csv(sep=separator, index=False)
        read = pd.read_csv(StringIO(text), sep=separator)
        assert table_in(text).names == [name.strip() for name in read.columns]


@pytest.mark.parametrize("text", ["", "\n\n", "# a\n", "sep=;\n"])
def test_no_table(text):
    assert table_in(text) is None
