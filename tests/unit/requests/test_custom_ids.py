"""Custom ids: those that a file used before are found, in little memory."""

from hypothesis import given
from hypothesis import strategies as st

from shared.requests.custom_ids import CustomIds


class TestCustomIds:
    @given(st.lists(st.lists(st.text(min_size=1, max_size=3) | st.integers(0, 50).map(str), max_size=50), max_size=8))
    def test_all_but_the_first_use_of_an_id_are_repeated(self, blocks: list[list[str]]) -> None:
        known, seen = CustomIds(), set[str]()
        for ids in blocks:
            again = known.repeated(ids)
            assert again == [place for place, each in enumerate(ids) if each in seen or each in ids[:place]]
            seen.update(ids)

    def test_many_ids_take_22_bytes_each_at_most(self) -> None:
        known = CustomIds()
        for count in range(1000, 410_000, 1000):
            assert not known.repeated([f"task-{number}" for number in range(count - 1000, count)])
            assert count < 100_000 or known.memory <= 22 * count
        assert len(known.repeated([f"task-{number}" for number in range(409_000)])) == 409_000

    def test_half_a_surrogate_pair_is_an_id_too(self) -> None:
        assert CustomIds().repeated(["\ud800", "\ud800", "\ud801"]) == [1]
