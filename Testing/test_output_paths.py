"""A folder for results is made, or refused in words."""

import pytest
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.output_paths import make_folder


def test_a_folder_for_results_is_made_with_its_parents_and_may_exist(tmp_path):
    for _ in range(2):
        make_folder(tmp_path / "new" / "results")
        assert (tmp_path / "new" / "results").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadInputError, match="cannot be created"):
        make_folder(tmp_path / "file" / "results")
