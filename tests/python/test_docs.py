"""docs/python.md is true: its examples print what they say."""
import doctest
import pathlib

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "python.md"


def test_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # A fence would be taken for output.
    text = PAGE.read_text().replace("```", "\n")
    test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    report = []
    runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
    assert len(test.examples) > 50
