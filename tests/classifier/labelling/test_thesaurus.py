from __future__ import annotations

from pathlib import Path

from classifier.labelling.thesaurus import thesaurus
from classifier.text.normalization import normalise


def test_every_word_finds_its_own_line() -> None:
    known = thesaurus()
    for at, words in enumerate(known.things):
        for word in words:
            assert at in known.met(f"Well, {word}, again"), word


def test_every_line_has_another_name_and_none_is_written_as_no_text_is_read() -> None:
    for words in thesaurus().things:
        assert len(words) > 1
        assert all(word and word == normalise(word) for word in words)


def test_a_word_is_met_whole_and_in_any_case(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("# first\n\nparcel, paquete\nhot line, phone\n", encoding="utf-8")
    known = thesaurus(file)
    assert known.things == (("parcel", "paquete"), ("hot line", "phone"))
    assert known.met("My PARCEL! And the hot  line?") == {0, 1}
    assert known.met("parcelled in a hot airline") == frozenset()
    assert known.met("") == frozenset()
