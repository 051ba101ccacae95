"""An error while writing becomes a message with its reason."""

import pytest
from PseudoCTDenoiseLib.ct.io.disk_space import explain_disk_errors
from PseudoCTDenoiseLib.errors import BadInputError


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("60 requested and 0 written"), "60 requested and 0 written"),
    ],
    ids=["system", "numpy"],
)
def test_the_message_gives_the_folder_and_the_reason_of_the_error(tmp_path, error, reason):
    with pytest.raises(BadInputError) as caught, explain_disk_errors(tmp_path):
        raise error
    assert f"written to {tmp_path} ({reason})" in str(caught.value)
