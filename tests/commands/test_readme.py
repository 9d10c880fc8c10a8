from kanbefair import readme
from kanbefair.folders import PROJECT


def test_only_the_named_block_is_replaced():
    text = "a\n<!-- x:start (by code) -->\nold\n<!-- x:end -->\nb\n<!-- y:start -->\n<!-- y:end -->\n"
    assert readme.updated(text, {"x": "new"}) == text.replace("old", "new")


def test_the_readme_shows_the_committed_tables():
    text = (PROJECT / "README.md").read_text()
    assert readme.updated(text, readme.blocks()) == text


def test_every_link_of_the_readme_leads_somewhere():
    import re

    text = (PROJECT / "README.md").read_text()
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        assert (PROJECT / target).exists(), target
